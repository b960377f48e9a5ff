package cluster

import (
	"fmt"
	"maps"
	"time"
)

// NextAuthority is the authority that takes the place of the present one. First every member says that it
// believes both, then every member gets a certificate of the new one, and then the old one is dropped: at no
// instant is there a member that another one does not believe.
type NextAuthority struct {
	// Certificate is public, and Key its sealed private key.
	Certificate string `json:"certificate"`
	Key         []byte `json:"key"`
	// Since is the index at which this began, and names it.
	Since uint64    `json:"since"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	// Signing: all members believe both, and the new one signs.
	Signing bool `json:"signing,omitempty"`
	// Believed are the members that have written down that they believe both, and Held those that
	// have a certificate of the new one.
	Believed map[string]bool `json:"believed,omitempty"`
	Held     map[string]bool `json:"held,omitempty"`
}

// RotateAuthority begins to put another authority in the place of the present one.
type RotateAuthority struct {
	Certificate string `json:"certificate"`
	Key         []byte `json:"key"`
	// Epoch is that of the data key which Key is sealed with.
	Epoch uint64 `json:"epoch"`
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
}

// AbortAuthority gives that up, as long as the new one has signed nothing.
type AbortAuthority struct {
	By string `json:"by,omitempty"`
}

// NodeAuthority tells how far a member is.
type NodeAuthority struct {
	Node  string `json:"node"`
	Since uint64 `json:"since"`
	Held  bool   `json:"held,omitempty"`
}

// Kind implements Command.
func (RotateAuthority) Kind() string { return "rotate-authority" }

// Kind implements Command.
func (AbortAuthority) Kind() string { return "abort-authority" }

// Kind implements Command.
func (NodeAuthority) Kind() string { return "node-authority" }

func (t *transaction) applyRotateAuthority(c RotateAuthority) refusal {
	switch {
	case t.Secrets.Next != nil:
		return refuse("the authority is being rotated since %s; see `clusterd keys status`",
			t.Secrets.Next.At.UTC().Format(time.DateTime))
	case c.Epoch != t.Secrets.Epoch:
		return refuse("data key %d is in force meanwhile, and not %d; try again", t.Secrets.Epoch, c.Epoch)
	case c.Certificate == "" || len(c.Key) == 0 || c.Certificate == t.Secrets.Authority:
		return refuse("that is no new authority")
	}
	t.Secrets.Next = &NextAuthority{Certificate: c.Certificate, Key: c.Key, Since: t.index, At: t.at, By: c.By}
	t.tell(Event{Subject: t.Cluster, By: c.By,
		Why: sentence("a new authority is on its way: first every member has to believe both", c.Why)})
	return accepted
}

func (t *transaction) applyAbortAuthority(c AbortAuthority) refusal {
	switch {
	case t.Secrets.Next == nil:
		return refuse("the authority is not being rotated")
	case t.Secrets.Next.Signing:
		return refuse("the new authority signs already, and members have its certificates; " +
			"let it come to its end, and rotate again")
	}
	t.Secrets.Next = nil
	t.tell(Event{Subject: t.Cluster, By: c.By, Why: "the new authority was given up; the one before goes on"})
	return accepted
}

func (t *transaction) applyNodeAuthority(c NodeAuthority) refusal {
	next := t.Secrets.Next
	switch {
	case next == nil || next.Since != c.Since:
		return refuse("that rotation of the authority is over")
	case !t.Nodes.Has(c.Node):
		return refuse("there is no node %s", c.Node)
	case c.Held && !next.Signing:
		return refuse("the new authority does not sign yet: %s does not believe it", firstMissing(t.State, next.Believed))
	}
	changed := *next
	changed.Believed = with(next.Believed, c.Node)
	if c.Held {
		changed.Held = with(next.Held, c.Node)
	}
	t.Secrets.Next = &changed
	t.settleAuthority()
	return accepted
}

func with(names map[string]bool, name string) map[string]bool {
	names = maps.Clone(names)
	if names == nil {
		names = map[string]bool{}
	}
	names[name] = true
	return names
}

// firstMissing is the first member that is not among these; "" if all are.
func firstMissing(s *State, names map[string]bool) string {
	for _, name := range s.Nodes.Keys() {
		if !names[name] {
			return name
		}
	}
	return ""
}

// settleAuthority takes the step that is due: all members believe the new authority, or all have a
// certificate of it.
func (t *transaction) settleAuthority() {
	next := t.Secrets.Next
	if next == nil {
		return
	}
	if !next.Signing && firstMissing(t.State, next.Believed) == "" {
		changed := *next
		changed.Signing = true
		next, t.Secrets.Next = &changed, &changed
		t.tell(Event{Subject: t.Cluster, Cause: next.Since, By: next.By,
			Why: "all members believe the new authority; it signs from now on"})
	}
	if next.Signing && firstMissing(t.State, next.Held) == "" {
		t.Secrets.Authority, t.Secrets.AuthorityKey, t.Secrets.Next = next.Certificate, next.Key, nil
		t.tell(Event{Subject: t.Cluster, Cause: next.Since, By: next.By,
			Why: "all members have certificates of the new authority; the old one is believed no longer"})
	}
}

// forgetAuthorityOf takes back what a machine that is gone has said: another one may come in its name.
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

// AuthorityWaits says what a rotation of the authority waits for; "" where there is none.
func (s *State) AuthorityWaits() string {
	next := s.Secrets.Next
	if next == nil {
		return ""
	}
	names, what := next.Believed, "says that it believes the new one"
	if next.Signing {
		names, what = next.Held, "has a certificate of the new one"
	}
	missing := 0
	for _, name := range s.Nodes.Keys() {
		if !names[name] {
			missing++
		}
	}
	text := fmt.Sprintf("the authority is being rotated since %s; it waits until %s %s",
		next.At.UTC().Format("2006-01-02 15:04"), firstMissing(s, names), what)
	if missing > 1 {
		text += fmt.Sprintf(" (and %d more)", missing-1)
	}
	return text
}

// turnsKey says why no live migration begins between these nodes: one of them has told a new key,
// and its streams would be cut as soon as it uses it; "" if none has.
func (w *World) turnsKey(nodes ...string) string {
	for _, name := range nodes {
		if n, _ := w.Nodes.Get(name); n.keys() > 1 {
			return fmt.Sprintf("%s is about to use a new identity key, which would cut a live migration from or to it; "+
				"it can begin when `clusterd keys status` shows the new key, or relocate it instead", name)
		}
	}
	return ""
}

// KeyTurns says of each member that is on its way to a new key what that waits for.
func (s *State) KeyTurns() []string {
	var waits []string
	for _, n := range s.Nodes.Rows() {
		if n.KeyTurn == nil {
			continue
		}
		what := "uses its new key"
		if n.KeyTurn.Fingerprint == "" {
			what = "has made it"
		}
		text := fmt.Sprintf("the order to give %s a new identity key dates from %s; it waits until %s %s", n.Name,
			n.KeyTurn.At.UTC().Format("2006-01-02 15:04"), n.Name, what)
		if why := s.CarriesMove(n.Name); why != "" && n.KeyTurn.Fingerprint != "" {
			text += ": " + why
		}
		waits = append(waits, text)
	}
	return waits
}
