package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/comparing"
	"github.com/clusterd/clusterd/quorum"
)

// replica is this node's copy of the State. The log's goroutine owns it; others
// read roots.
type replica struct {
	state cluster.State
	root  atomic.Pointer[cluster.State]
	// recent are the newest roots.
	recent comparing.Roots
	// broken is the entry that could not be understood: from there on this State
	// would differ from the others', so nothing is applied, shown or kept from then on.
	broken error
	// steps are entries that an operator steps over.
	steps membership.Steps
	// fatal ends the daemon with words: going on after an entry that cannot be
	// understood would make this State differ from the others'.
	fatal func(reason string)
	// applied is told of each entry; it must not block.
	applied func()

	mu      sync.Mutex
	changed chan struct{}
}

func newReplica(fatal func(string), applied func()) *replica {
	r := &replica{fatal: fatal, applied: applied, changed: make(chan struct{})}
	r.root.Store(r.state.Fork())
	return r
}

// Root is the newest State. It never changes.
func (r *replica) Root() *cluster.State { return r.root.Load() }

// Changed is closed when a newer root than the one read after this call exists.
func (r *replica) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *replica) publish() {
	root := r.state.Fork()
	r.root.Store(root)
	r.recent.Add(root)
	r.mu.Lock()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	r.applied()
}

// Apply implements quorum.Machine. Its result is a cluster.Applied, or an error
// after an entry that could not be understood.
func (r *replica) Apply(entry quorum.Entry) any {
	if r.broken != nil {
		return r.broken
	}
	next, applied, err := r.after(&r.state, entry)
	if err != nil {
		// What is applied elsewhere was not refused: the answer is that nobody here
		// knows.
		r.broken = fmt.Errorf("log entry %d: %w", entry.Index, err)
		r.fatal(r.steps.Met(entry, err))
		return r.broken
	}
	r.state = *next
	r.publish()
	return applied
}

// after is what a State becomes by an entry.
func (r *replica) after(s *cluster.State, entry quorum.Entry) (*cluster.State, apply.Applied, error) {
	at := cluster.Entry{Index: entry.Index, At: entry.At}
	next, applied, err := apply.ApplyData(s, at, entry.Data)
	if err != nil && r.steps.Over(entry) {
		next = s.Fork()
		applied, err = apply.StepOver(next, at, membership.NameOfEntry(entry.Data)), nil
	}
	return next, applied, err
}

// ahead is what a State becomes by all these entries, which the log holds behind it; nil where one
// of them cannot be read or applied.
func (r *replica) ahead(s *cluster.State, entries iter.Seq2[quorum.Entry, error]) *cluster.State {
	s = s.Fork()
	for entry, err := range entries {
		switch {
		case err != nil:
		case r.steps.Over(entry):
			s, _, err = r.after(s, entry)
		default:
			_, err = apply.ApplyTo(s, cluster.Entry{Index: entry.Index, At: entry.At}, entry.Data)
		}
		if err != nil {
			return nil
		}
	}
	return s
}

// unfit is asked by the leader before it appends what anybody proposed.
func (r *replica) unfit(data []byte) error { return apply.Fit(r.Root(), time.Now(), data) }

// Snapshot implements quorum.Machine.
func (r *replica) Snapshot() func(io.Writer) error {
	if broken := r.broken; broken != nil {
		return func(io.Writer) error { return fmt.Errorf("no snapshot is made of a broken state: %w", broken) }
	}
	root := r.state.Fork()
	return func(w io.Writer) error { return json.NewEncoder(w).Encode(root) }
}

// Restore implements quorum.Machine.
func (r *replica) Restore(snapshot io.Reader) error {
	var state cluster.State
	if err := json.NewDecoder(snapshot).Decode(&state); err != nil {
		return fmt.Errorf("read the snapshot of the cluster's state: %w", err)
	}
	if why := cluster.Unknown(&state); !why.IsZero() {
		r.fatal(why.String())
		return errors.New(why.String())
	}
	r.state = state
	r.publish()
	return nil
}
