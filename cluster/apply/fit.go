package apply

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// maxCommands bounds one entry; the mind proposes far fewer at once.
const maxCommands = 10_000

// Fit says why data may not become the next entry of the log; nil if it may. The leader asks
// before it appends, whoever proposed it: an entry that a member cannot decode, or at which its
// Apply breaks, would end that member at every start. A command that a law refuses is fit:
// refusing is what Apply is for.
func (r *Rules) Fit(s *cluster.State, at time.Time, data []byte) error {
	commands, err := r.release.Decode(data)
	if err != nil {
		return err
	}
	if len(commands) > maxCommands {
		return errors.New(message.EntryTooLong.With(len(commands), maxCommands).String())
	}
	if why := r.release.Premature(s, commands); !why.IsZero() {
		return errors.New(why.String())
	}
	_, _, err = r.ApplyData(s, cluster.Entry{Index: s.Index + 1, At: at}, data)
	return err
}

// ApplyData decodes and applies an entry to a fork of the State, which it returns with what
// happened. An entry that cannot be decoded or applied is an error and changes nothing, also
// when it breaks Apply.
func (r *Rules) ApplyData(s *cluster.State, entry cluster.Entry, data []byte) (*cluster.State, Applied, error) {
	next := s.Fork()
	applied, err := r.ApplyTo(next, entry, data)
	if err != nil {
		return nil, Applied{}, err
	}
	return next, applied, nil
}

// ApplyTo is ApplyData without the fork, which costs more than the rest where entries are many.
// After an error the State may be half of something, and is to be thrown away.
func (r *Rules) ApplyTo(s *cluster.State, entry cluster.Entry, data []byte) (applied Applied, err error) {
	if entry.Commands, err = r.release.Decode(data); err != nil {
		return Applied{}, err
	}
	defer func() {
		if broke := recover(); broke != nil {
			why := message.EntryBreaksRules.With(fmt.Sprint(broke), culprit(debug.Stack()))
			err = errors.New(why.String())
		}
	}()
	applied = r.Apply(s, entry)
	if why := r.release.Unknown(s); !why.IsZero() {
		return Applied{}, errors.New(why.String())
	}
	return applied, nil
}

// culprit is the line of our own that broke, for a bug report; "" if the stack does not show it.
func culprit(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			for _, place := range lines[i+1:] {
				if strings.HasPrefix(place, "\t") && !strings.Contains(place, "/runtime/") {
					place, _, _ = strings.Cut(strings.TrimSpace(place), " ")
					return place
				}
			}
		}
	}
	return ""
}

// StepOver takes an entry as if it were empty, because an operator said so on each member: none
// of them could apply it. The timeline keeps the trace, which names nobody: it is the same on
// every member, and who said so may differ. Each member's audit trail has the login.
func StepOver(s *cluster.State, entry cluster.Entry, name string) Applied {
	s.Index = entry.Index
	t := begin(s, entry.Index, entry.At)
	t.tell(cluster.Event{Subject: s.Cluster, By: "operator", Why: message.EntrySteppedOver.With(entry.Index, name)})
	s.Record(t.events)
	return Applied{Index: entry.Index, Events: t.events}
}

// mostSealed bounds the sealed secrets of a cluster: a new data key seals them all anew, in one
// entry of the log.
const mostSealed = 20000

// mayHold looks at the secrets of a new document: no secret enters the log as it is, and what a
// reference stands for must be there, sealed with the key in force. Clusters on paper have no key.
func (t *transaction) mayHold(c cluster.Configure) (why message.Text) {
	if t.Secrets.Epoch == 0 {
		return message.Text{}
	}
	if len(c.Sealed) > 0 && c.SealedBy != t.Secrets.Epoch {
		return message.SecretsOutdated.With(c.SealedBy, t.Secrets.Epoch)
	}
	if len(t.Secrets.Sealed)+len(c.Sealed) > mostSealed {
		return message.SecretsTooMany.With(len(c.Sealed), len(t.Secrets.Sealed), mostSealed)
	}
	c.Document.EachSecret(func(where message.Text, secret string) {
		_, kept := t.Secrets.Sealed[secret]
		_, brought := c.Sealed[secret]
		switch {
		case !why.IsZero() || kept || brought:
		case fence.IsReference(secret):
			why = message.SecretNotHeld.With(where)
		default:
			why = message.SecretNotSealed.With(where)
		}
	})
	return why
}

// keepSealed takes what a document brings in, and forgets what nothing refers to: the
// document, an earlier one, what runs as it was declared before, a login that a device still takes.
func (t *transaction) keepSealed(c cluster.Configure) {
	if len(t.Secrets.Sealed) == 0 && len(c.Sealed) == 0 {
		return
	}
	used := map[string]bool{}
	within := func(text string) {
		fence.ReplaceReferences(text, func(reference string) string {
			used[reference] = true
			return ""
		})
	}
	t.Document.EachSecret(func(_ message.Text, secret string) { used[secret] = true })
	within(t.Config.Text)
	for _, revision := range t.History {
		for _, piece := range revision.Pieces {
			within(piece.Text)
		}
	}
	for _, name := range t.OldLogins.Keys() {
		login, _ := t.OldLogins.Get(name)
		within(login.Password.Reveal())
	}
	for _, hash := range t.Blobs.Keys() {
		text, _ := t.Blobs.Get(hash)
		within(text)
	}
	sealed := make(map[string][]byte, len(used))
	maps.Copy(sealed, t.Secrets.Sealed)
	maps.Copy(sealed, c.Sealed)
	maps.DeleteFunc(sealed, func(reference string, _ []byte) bool { return !used[reference] })
	t.Secrets.Sealed = sealed
}
