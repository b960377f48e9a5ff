package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
)

func (t *transaction) applyRekey(c cluster.Rekey) rules.Refusal {
	if c.Epoch != t.Secrets.Epoch {
		return rules.Refuse("data key %d is in force meanwhile, and not %d", t.Secrets.Epoch, c.Epoch)
	}
	if len(c.AuthorityKey) == 0 {
		return rules.Refuse("the authority's key is not there: no node could sign another certificate")
	}
	for _, node := range slices.Sorted(maps.Keys(c.Wraps)) {
		if n, known := t.Nodes.Get(node); !known || len(n.Key) == 0 {
			return rules.Refuse("%s is no member of the cluster, and must not have its data key", node)
		}
	}
	if node := t.WithoutDataKey(c.Wraps); node != "" {
		return rules.Refuse("%s is a member and would not have the data key", node)
	}
	if why := c.SealsAnew(t.State); why != "" {
		return rules.Refuse("%s", why)
	}
	if next := t.Secrets.Next; (next != nil) != (len(c.NextKey) > 0) {
		return rules.Refuse("the authority began or ceased to be rotated meanwhile; try again")
	} else if next != nil {
		changed := *next
		changed.Key = c.NextKey
		t.Secrets.Next = &changed
	}
	t.Secrets.Epoch++
	t.Secrets.Sealed = maps.Clone(c.Sealed)
	t.Secrets.Wraps, t.Secrets.AuthorityKey = maps.Clone(c.Wraps), c.AuthorityKey
	t.Secrets.Wanted, t.Secrets.Changed = "", t.index
	why := fmt.Sprintf("data key %d is in force, and with it a new key of gossip: %s", t.Secrets.Epoch, c.Why)
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: why})
	return rules.Accepted
}

// dropDataKey takes a machine's share in the data key away. It has seen that key, so another one
// is due.
func (t *transaction) dropDataKey(node, why string) {
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
		return rules.Refuse("there is no node %s", c.Node)
	case n.KeyTurn != nil && c.Anyway && !n.KeyTurn.Anyway:
		if why := t.estranges(c.Node, n.KeyTurn.Since); why != "" {
			return rules.Refuse("%s", why)
		}
		turn := *n.KeyTurn
		turn.Anyway, n.KeyTurn = true, &turn
		t.Nodes.Set(n.Name, n)
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By,
			Why: words.Sentence("its new identity key no longer waits for members that are away", c.Why)})
		return rules.Accepted
	case n.KeyTurn != nil:
		return rules.Refuse("the order to give %s a new key dates from %s; see `clusterd keys status`", c.Node,
			n.KeyTurn.At.UTC().Format(time.DateTime))
	case n.State != cluster.NodeOnline:
		return rules.Refuse("%s is %s, and only the node itself can make its new key; bring it back, or, if its "+
			"machine is lost "+
			"or in others' hands, `clusterd node replace %s` or `clusterd node remove %s`", c.Node, n.State, c.Node, c.Node)
	case len(n.Key) == 0:
		return rules.Refuse("the public key of %s is not recorded; use `clusterd node replace %s`", c.Node, c.Node)
	case len(away) > 0 && !c.Anyway:
		return rules.Refuse("%s would not know the new key of %s, and alone with it could not go on; bring it back first, "+
			"remove it, or say --anyway: then it learns the key from a third member when it is back",
			strings.Join(away, ", "), c.Node)
	}
	why := t.estranges(c.Node, t.index)
	if why == "" {
		why = t.MayBar(1)
	}
	if why != "" {
		return rules.Refuse("%s", why)
	}
	n.KeyTurn = &cluster.KeyTurn{Since: t.index, At: t.At, By: c.By, Anyway: c.Anyway}
	t.Nodes.Set(n.Name, n)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By,
		Why: words.Sentence("a new identity key was ordered for it", c.Why)})
	return rules.Accepted
}

// estranges says whom a new key of a node may not leave out.
func (t *transaction) estranges(node string, since uint64) string {
	left := t.Estranges(node, since)
	if len(left) == 0 {
		return ""
	}
	return fmt.Sprintf("%s could learn the new key of %s from nobody: it knows no other member in touch by the key that "+
		"this one has now; bring it back first, or `clusterd node remove %s`",
		strings.Join(left, ", "), node, left[0])
}

func (t *transaction) applyAbortKey(c cluster.AbortKey) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refuse("there is no node %s", c.Node)
	case n.KeyTurn == nil:
		return rules.Refuse("%s is not being given a new key", c.Node)
	case n.KeyTurn.Fingerprint != "":
		return rules.Refuse("%s uses its new key already, or is about to; let it come to its end, and rotate again. If that "+
			"key is lost (`clustat` on %s says so), use `clusterd node replace %s`", c.Node, c.Node, c.Node)
	}
	n.KeyTurn = nil
	t.Nodes.Set(n.Name, n)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By,
		Why: "the order to make a new identity key was taken back"})
	return rules.Accepted
}

func (t *transaction) applyTellKey(c cluster.TellKey) rules.Refusal {
	if why := c.Refused(t.State); why != "" {
		return rules.Refuse("%s", why)
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
	if why := c.Refused(t.State); why != "" {
		return rules.Refuse("%s", why)
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
		Why: fmt.Sprintf("it has a new identity key (%.16s); the one before is barred for good", n.Fingerprint)})
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
	t.Secrets.Wanted = node + " has a new key, and the one before opened the data key"
}

func (t *transaction) applyRotateAuthority(c cluster.RotateAuthority) rules.Refusal {
	switch {
	case t.Secrets.Next != nil:
		return rules.Refuse("the authority is being rotated since %s; see `clusterd keys status`",
			t.Secrets.Next.At.UTC().Format(time.DateTime))
	case c.Epoch != t.Secrets.Epoch:
		return rules.Refuse("data key %d is in force meanwhile, and not %d; try again", t.Secrets.Epoch, c.Epoch)
	case c.Certificate == "" || len(c.Key) == 0 || c.Certificate == t.Secrets.Authority:
		return rules.Refuse("that is no new authority")
	}
	t.Secrets.Next = &cluster.NextAuthority{Certificate: c.Certificate, Key: c.Key, Since: t.index, At: t.At, By: c.By}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By,
		Why: words.Sentence("a new authority is on its way: first every member has to believe both", c.Why)})
	return rules.Accepted
}

func (t *transaction) applyAbortAuthority(c cluster.AbortAuthority) rules.Refusal {
	switch {
	case t.Secrets.Next == nil:
		return rules.Refuse("the authority is not being rotated")
	case t.Secrets.Next.Signing:
		return rules.Refuse("the new authority signs already, and members have its certificates; " +
			"let it come to its end, and rotate again")
	}
	t.Secrets.Next = nil
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: "the new authority was given up; the one before goes on"})
	return rules.Accepted
}

func (t *transaction) applyNodeAuthority(c cluster.NodeAuthority) rules.Refusal {
	next := t.Secrets.Next
	switch {
	case next == nil || next.Since != c.Since:
		return rules.Refuse("that rotation of the authority is over")
	case !t.Nodes.Has(c.Node):
		return rules.Refuse("there is no node %s", c.Node)
	case c.Held && !next.Signing:
		return rules.Refuse("the new authority does not sign yet: %s does not believe it",
			cluster.FirstMissing(t.State, next.Believed))
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
			Why: "all members believe the new authority; it signs from now on"})
	}
	if next.Signing && cluster.FirstMissing(t.State, next.Held) == "" {
		t.Secrets.Authority, t.Secrets.AuthorityKey, t.Secrets.Next = next.Certificate, next.Key, nil
		t.tell(cluster.Event{Subject: t.Cluster, Cause: next.Since, By: next.By,
			Why: "all members have certificates of the new authority; the old one is believed no longer"})
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
			return rules.Refuse("a client's certificate needs a fingerprint, a user and a role, of %d letters at most",
				longestClientWord)
		}
	}
	if !c.Expires.After(t.At) {
		return rules.Refuse("the certificate of %s is over already", c.User)
	}
	if gone, removed := t.Removed.Get(c.Fingerprint); removed {
		return rules.Refuse("this key was removed from the cluster as %s; make a new one", gone.Name)
	}
	for _, fingerprint := range t.Clients.Keys() {
		if old, _ := t.Clients.Get(fingerprint); !old.Expires.After(t.At) {
			t.Clients.Delete(fingerprint)
		}
	}
	if t.Clients.Len() >= cluster.MaxClients {
		return rules.Refuse("%d client certificates are valid, which is the limit; revoke some", t.Clients.Len())
	}
	t.Clients.Set(c.Fingerprint, cluster.Client{User: c.User, Role: c.Role, By: c.By, At: t.At, Expires: c.Expires})
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By,
		Why: fmt.Sprintf("a certificate was made for %s with role %s", c.User, c.Role)})
	return rules.Accepted
}

func (t *transaction) applyRevokeClients(c cluster.RevokeClients) rules.Refusal {
	var found []string
	for _, fingerprint := range t.Clients.Keys() {
		if client, _ := t.Clients.Get(fingerprint); client.User == c.User {
			found = append(found, fingerprint)
		}
	}
	if len(found) == 0 {
		return rules.Refuse("%s has no certificate that is valid", c.User)
	}
	if why := t.MayBar(len(found)); why != "" {
		return rules.Refuse("%s", why)
	}
	for _, fingerprint := range found {
		t.Clients.Delete(fingerprint)
		t.Removed.Set(fingerprint, cluster.Removed{Name: "client " + c.User, At: t.At, By: c.By})
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By,
		Why: fmt.Sprintf("the certificates of %s were revoked (%d)", c.User, len(found))})
	return rules.Accepted
}
