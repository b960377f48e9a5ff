package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

func (t *transaction) applyRekey(c cluster.Rekey) rules.Refusal {
	if c.Epoch != t.Secrets.Epoch {
		return rules.Refuse(message.DataKeyOutdated.With(t.Secrets.Epoch, c.Epoch))
	}
	if len(c.AuthorityKey) == 0 {
		return rules.Refuse(message.AuthorityKeyMissing.With())
	}
	for _, node := range slices.Sorted(maps.Keys(c.Wraps)) {
		if n, known := t.Nodes.Get(node); !known || len(n.Key) == 0 {
			return rules.Refuse(message.DataKeyForNonMember.With(node))
		}
	}
	if node := t.WithoutDataKey(c.Wraps); node != "" {
		return rules.Refuse(message.DataKeyWithoutMember.With(node))
	}
	if why := c.SealsAnew(t.State); !why.IsZero() {
		return rules.Refuse(why)
	}
	if next := t.Secrets.Next; (next != nil) != (len(c.NextKey) > 0) {
		return rules.Refuse(message.AuthorityRotationChanged.With())
	} else if next != nil {
		changed := *next
		changed.Key = c.NextKey
		t.Secrets.Next = &changed
	}
	t.Secrets.Epoch++
	t.Secrets.Sealed = maps.Clone(c.Sealed)
	t.Secrets.Wraps, t.Secrets.AuthorityKey = maps.Clone(c.Wraps), c.AuthorityKey
	t.Secrets.Wanted, t.Secrets.Changed = message.Text{}, t.index
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.DataKeyInForce.With(t.Secrets.Epoch, c.Why)})
	return rules.Accepted
}

// dropDataKey takes a machine's share in the data key away. It has seen that key, so another one
// is due.
func (t *transaction) dropDataKey(node string, why message.Text) {
	if t.Secrets.Epoch == 0 {
		return
	}
	wraps := maps.Clone(t.Secrets.Wraps)
	delete(wraps, node)
	t.Secrets.Wraps, t.Secrets.Wanted = wraps, why
}

func (t *transaction) applyRotateKey(c cluster.RotateKey) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	away := t.AwayBut(c.Node)
	switch {
	case !known:
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case n.KeyTurn != nil && c.Anyway && !n.KeyTurn.Anyway:
		if why := t.estranges(c.Node, n.KeyTurn.Since); !why.IsZero() {
			return rules.Refuse(why)
		}
		turn := *n.KeyTurn
		turn.Anyway, n.KeyTurn = true, &turn
		t.Nodes.Set(n.Name, n)
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By, Why: message.NodeKeyAnyway.With(c.Why)})
		return rules.Accepted
	case n.KeyTurn != nil:
		return rules.Refuse(message.NodeKeyDue.With(c.Node, n.KeyTurn.At.UTC().Format(time.DateTime)))
	case n.State != cluster.NodeOnline:
		return rules.Refuse(message.NodeKeyNotOnline.With(c.Node, n.State))
	case len(n.Key) == 0:
		return rules.Refuse(message.NodeKeyUnrecorded.With(c.Node))
	case len(away) > 0 && !c.Anyway:
		return rules.Refuse(message.NodeKeyNodesAway.With(away, c.Node))
	}
	if why := t.estranges(c.Node, t.index).OrElse(t.MayBar(1)); !why.IsZero() {
		return rules.Refuse(why)
	}
	n.KeyTurn = &cluster.KeyTurn{Since: t.index, At: t.At, By: c.By, Anyway: c.Anyway}
	t.Nodes.Set(n.Name, n)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By, Why: message.NodeKeyOrdered.With(c.Why)})
	return rules.Accepted
}

// estranges says whom a new key of a node may not leave out.
func (t *transaction) estranges(node string, since uint64) message.Text {
	left := t.Estranges(node, since)
	if len(left) == 0 {
		return message.Text{}
	}
	return message.NodeKeyEstranges.With(left, node, left[0])
}

func (t *transaction) applyAbortKey(c cluster.AbortKey) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case n.KeyTurn == nil:
		return rules.Refuse(message.NodeKeyNotDue.With(c.Node))
	case n.KeyTurn.Fingerprint != "":
		return rules.Refuse(message.NodeKeyInUse.With(c.Node))
	}
	n.KeyTurn = nil
	t.Nodes.Set(n.Name, n)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By, Why: message.NodeKeyAborted.With()})
	return rules.Accepted
}

func (t *transaction) applyTellKey(c cluster.TellKey) rules.Refusal {
	if why := c.Refused(t.State); !why.IsZero() {
		return rules.Refuse(why)
	}
	n, _ := t.Nodes.Get(c.Node)
	if n.KeyTurn.Fingerprint == c.Fingerprint {
		return rules.Accepted
	}
	changed := *n.KeyTurn
	changed.Fingerprint, changed.Key = c.Fingerprint, c.Key
	n.KeyTurn = &changed
	t.Nodes.Set(n.Name, n)
	return rules.Accepted
}

func (t *transaction) applyTurnKey(c cluster.TurnKey) rules.Refusal {
	if why := c.Refused(t.State); !why.IsZero() {
		return rules.Refuse(why)
	}
	n, _ := t.Nodes.Get(c.Node)
	turn := n.KeyTurn
	t.Removed.Set(n.Fingerprint, cluster.Removed{Name: n.Name, At: t.At, By: turn.By})
	if n.JoinedAs == "" {
		n.JoinedAs = n.Fingerprint // the machine stays the one it was (law L1)
	}
	n.Fingerprint, n.Key, n.KeyAt, n.KeyTurn = turn.Fingerprint, turn.Key, t.At, nil
	n.KeySince = t.index
	t.Nodes.Set(n.Name, n)
	t.turnDataKey(n.Name, c.Wrap)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, Cause: turn.Since, By: turn.By,
		Why: message.NodeKeyChanged.With(fmt.Sprintf("%.16s", n.Fingerprint))})
	return rules.Accepted
}

// turnDataKey gives a member the data key sealed to its new key. Who has the old one could open
// what stood there before, so another data key is due.
func (t *transaction) turnDataKey(node string, wrap []byte) {
	if t.Secrets.Epoch == 0 {
		return
	}
	wraps := maps.Clone(t.Secrets.Wraps)
	if wraps == nil {
		wraps = map[string][]byte{}
	}
	wraps[node] = wrap
	t.Secrets.Wraps = wraps
	t.Secrets.Wanted = message.DataKeyNodeKeyNew.With(node)
}

func (t *transaction) applyRotateAuthority(c cluster.RotateAuthority) rules.Refusal {
	switch {
	case t.Secrets.Next != nil:
		return rules.Refuse(message.AuthorityInRotation.With(t.Secrets.Next.At.UTC().Format(time.DateTime)))
	case c.Epoch != t.Secrets.Epoch:
		return rules.Refuse(message.DataKeyOutdated.With(t.Secrets.Epoch, c.Epoch))
	case c.Certificate == "" || len(c.Key) == 0 || c.Certificate == t.Secrets.Authority:
		return rules.Refuse(message.AuthorityNotNew.With())
	}
	t.Secrets.Next = &cluster.NextAuthority{Certificate: c.Certificate, Key: c.Key, Since: t.index, At: t.At, By: c.By}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.AuthorityRotationBegan.With(c.Why)})
	return rules.Accepted
}

func (t *transaction) applyAbortAuthority(c cluster.AbortAuthority) rules.Refusal {
	switch {
	case t.Secrets.Next == nil:
		return rules.Refuse(message.AuthorityNotInRotation.With())
	case t.Secrets.Next.Signing:
		return rules.Refuse(message.AuthoritySignsAlready.With())
	}
	t.Secrets.Next = nil
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.AuthorityNewGivenUp.With()})
	return rules.Accepted
}

func (t *transaction) applyNodeAuthority(c cluster.NodeAuthority) rules.Refusal {
	next := t.Secrets.Next
	switch {
	case next == nil || next.Since != c.Since:
		return rules.Refuse(message.AuthorityRotationOver.With())
	case !t.Nodes.Has(c.Node):
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case c.Held && !next.Signing:
		return rules.Refuse(message.AuthorityDoesNotSign.With(cluster.FirstMissing(t.State, next.Believed)))
	}
	changed := *next
	changed.Believed = with(next.Believed, c.Node)
	if c.Held {
		changed.Held = with(next.Held, c.Node)
	}
	t.Secrets.Next = &changed
	t.settleAuthority()
	return rules.Accepted
}

func with(names map[string]bool, name string) map[string]bool {
	names = maps.Clone(names)
	if names == nil {
		names = map[string]bool{}
	}
	names[name] = true
	return names
}

// settleAuthority takes the step that is due: all members believe the new authority, or all have a
// certificate of it.
func (t *transaction) settleAuthority() {
	next := t.Secrets.Next
	if next == nil {
		return
	}
	if !next.Signing && cluster.FirstMissing(t.State, next.Believed) == "" {
		changed := *next
		changed.Signing = true
		next, t.Secrets.Next = &changed, &changed
		t.tell(cluster.Event{Subject: t.Cluster, Cause: next.Since, By: next.By,
			Why: message.AuthorityNewSigns.With()})
	}
	if next.Signing && cluster.FirstMissing(t.State, next.Held) == "" {
		t.Secrets.Authority, t.Secrets.AuthorityKey, t.Secrets.Next = next.Certificate, next.Key, nil
		t.tell(cluster.Event{Subject: t.Cluster, Cause: next.Since, By: next.By,
			Why: message.AuthorityOldDropped.With()})
	}
}

// forgetAuthorityOf takes back what a machine that is gone has said: another one may come in its
// name.
func (t *transaction) forgetAuthorityOf(node string) {
	if t.Secrets.Next == nil {
		return
	}
	changed := *t.Secrets.Next
	changed.Believed, changed.Held = maps.Clone(changed.Believed), maps.Clone(changed.Held)
	delete(changed.Believed, node)
	delete(changed.Held, node)
	t.Secrets.Next = &changed
}

// longestClientWord bounds each word of a certificate.
const longestClientWord = 128

func (t *transaction) applyAddClient(c cluster.AddClient) rules.Refusal {
	for _, word := range []string{c.Fingerprint, c.User, c.Role} {
		if word == "" || len(word) > longestClientWord || strings.ContainsAny(word, " \t\r\n\x1b") {
			return rules.Refuse(message.ClientIncomplete.With(longestClientWord))
		}
	}
	if !c.Expires.After(t.At) {
		return rules.Refuse(message.ClientExpired.With(c.User))
	}
	if gone, removed := t.Removed.Get(c.Fingerprint); removed {
		return rules.Refuse(message.ClientKeyRemoved.With(gone.Name))
	}
	for _, fingerprint := range t.Clients.Keys() {
		if old, _ := t.Clients.Get(fingerprint); !old.Expires.After(t.At) {
			t.Clients.Delete(fingerprint)
		}
	}
	if t.Clients.Len() >= cluster.MaxClients {
		return rules.Refuse(message.ClientLimit.With(t.Clients.Len()))
	}
	t.Clients.Set(c.Fingerprint, cluster.Client{User: c.User, Role: c.Role, By: c.By, At: t.At, Expires: c.Expires})
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By,
		Why: message.ClientCertified.With(c.User, c.Role)})
	return rules.Accepted
}

func (t *transaction) applyRevokeClients(c cluster.RevokeClients) rules.Refusal {
	var found, all []string
	for _, fingerprint := range t.Clients.Keys() {
		if client, _ := t.Clients.Get(fingerprint); client.User == c.User {
			all = append(all, keyShown(fingerprint))
			if strings.HasPrefix(fingerprint, c.Fingerprint) {
				found = append(found, fingerprint)
			}
		}
	}
	switch {
	case len(all) == 0:
		return rules.Refuse(message.ClientUncertified.With(c.User))
	case len(found) == 0:
		return rules.Refuse(message.ClientKeyUnknown.With(c.User, keyShown(c.Fingerprint), strings.Join(all, ", ")))
	case c.Fingerprint != "" && len(found) > 1:
		return rules.Refuse(message.ClientKeySeveral.With(c.User, keyShown(c.Fingerprint), strings.Join(all, ", ")))
	}
	if why := t.MayBar(len(found)); !why.IsZero() {
		return rules.Refuse(why)
	}
	for _, fingerprint := range found {
		t.Clients.Delete(fingerprint)
		t.Removed.Set(fingerprint, cluster.Removed{Name: "client " + c.User, At: t.At, By: c.By})
	}
	told := message.ClientsRevoked.With(c.User, len(found))
	if c.Fingerprint != "" {
		told = message.ClientRevoked.With(c.User, keyShown(found[0]))
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: told})
	return rules.Accepted
}

// keyShown is as much of a key's fingerprint as tells it from others.
func keyShown(fingerprint string) string { return fingerprint[:min(len(fingerprint), 16)] }
