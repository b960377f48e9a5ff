package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/pace"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

const (
	// changesPerMinute bounds how often the leadership moves for a broken link: a
	// network that breaks here and there must not keep the cluster electing.
	changesPerMinute = 2
	changesWindow    = time.Minute
	// bridgedAgain is how old the verdict before this one may be: one verdict
	// alone may be a hiccup.
	bridgedAgain = 3 * time.Second
	// handOverLimit bounds one transfer.
	handOverLimit = 2 * time.Second
)

// stewardship remembers what is required to give leadership away in measure.
type stewardship struct {
	mu      sync.Mutex
	leader  string
	changes []time.Time
	bridged map[string]time.Time
}

// note takes down who leads; only the newest changes are kept.
func (s *stewardship) note(leader string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leader == "" || leader == s.leader {
		return
	}
	s.leader = leader
	s.changes = append(s.changes, now)
	s.changes = s.changes[max(0, len(s.changes)-changesPerMinute):]
}

// again reports whether a node was reached by peers alone twice in a row, and
// whether the leadership has moved rarely enough to move for it.
func (s *stewardship) again(node string, now time.Time) (twice, may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bridged == nil {
		s.bridged = map[string]time.Time{}
	}
	before, known := s.bridged[node]
	s.bridged[node] = now
	recent := slices.IndexFunc(s.changes, func(at time.Time) bool { return now.Sub(at) < changesWindow })
	return known && now.Sub(before) <= bridgedAgain, recent < 0 || len(s.changes)-recent < changesPerMinute
}

func (s *stewardship) forget(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bridged, node)
}

// yield gives the leadership to a voter that reaches a node which this leader
// does not reach: the node is alive behind a broken link, and is of no use to
// the cluster as long as its leader is on the other side of it.
func (d *Daemon) yield(ctx context.Context, v quorum.Verdict) {
	if len(v.SeenBy) == 0 || v.SeenBy[0].Daemon == quorum.Answers || v.Daemon != quorum.Answers || !d.role.Load().leading {
		d.stewardship.forget(v.Node)
		return
	}
	heir := d.heir(v)
	if heir == "" {
		return
	}
	twice, may := d.stewardship.again(v.Node, time.Now())
	if !twice {
		return
	}
	if !may {
		if d.warnings.Set("leadership", v.Node+" is reached by "+heir+" and not from here; leadership has moved twice "+
			"within a minute and stays for now") {
			d.logger.Warn("leadership stays although a voter reaches more nodes", "node", v.Node, "heir", heir)
		}
		return
	}
	d.warnings.Set("leadership", "")
	d.logger.Info("leadership is handed to a voter that reaches a node behind a broken link", "node", v.Node, "heir", heir)
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	if err := d.log.HandOver(ctx, heir); err != nil {
		d.logger.Info("leadership was not handed over", "heir", heir, "error", err)
	}
}

// heir is the first voter that reached the node: it answered, so it is in touch
// with both.
func (d *Daemon) heir(v quorum.Verdict) string {
	members := d.log.Members()
	for _, w := range v.SeenBy[1:] {
		voter := slices.ContainsFunc(members, func(m quorum.Member) bool { return m.ID == w.Peer && m.Voter })
		if w.Daemon == quorum.Answers && voter && w.Peer != v.Node {
			return w.Peer
		}
	}
	return ""
}

// hearing keeps when each node's last beat came.
type hearing struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (h *hearing) note(node string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[string]time.Time{}
	}
	h.last[node] = now
}

// keep forgets all nodes but those that are still peers.
func (h *hearing) keep(peers map[string]quorum.Beat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for node := range h.last {
		if _, known := peers[node]; !known {
			delete(h.last, node)
		}
	}
}

// times are when each node was last heard.
func (h *hearing) times() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.last)
}

// within reports whether a node was heard within the time before now.
func (h *hearing) within(node string, silence time.Duration, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, heard := h.last[node]
	return heard && now.Sub(last) < silence
}

// nudgeEvery is how long the log may rest before its leader moves it. It bounds how long a node of
// which the heartbeats pass and the log does not goes unseen in a quiet cluster.
const nudgeEvery = 5 * time.Second

// keepNudging keeps the log moving.
func (d *Daemon) keepNudging(ctx context.Context) {
	var end uint64
	for sleep.For(ctx, nudgeEvery) {
		nudge, cancel := context.WithTimeout(ctx, nudgeEvery)
		end = d.log.Nudge(nudge, end)
		cancel()
	}
}

// inQuorum reports whether this node leads, or has just heard whoever does.
func (d *Daemon) inQuorum() bool {
	role := d.role.Load()
	if role.leading {
		return true
	}
	if role.leader == "" || role.leader == d.name {
		return false
	}
	r := d.log.Role()
	within := pace.ProfileOf(d.replica.Root().Document.Timing).Heartbeat
	return r.Leader != "" && !r.LastContact.IsZero() && time.Since(r.LastContact) < within
}
