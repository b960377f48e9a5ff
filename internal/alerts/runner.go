package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	// mostWaiting bounds how many events wait for an alert; of more the oldest are
	// left out. Whoever is told of a burst of thousands hours late is told nothing.
	mostWaiting = 256
	// noteEvery bounds how often a cursor is written into the log.
	noteEvery = 2 * time.Second
	// noteAfter writes a cursor that moved past so many events of no interest, so
	// that another leader does not take what was passed over for lost.
	noteAfter = 500
	// lastNote bounds the last cursor that is written.
	lastNote = time.Second
	// firstPause and longestPause are what is waited between attempts.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Runner tells one alert.
type Runner struct {
	Alert cluster.Alert
	// Node is where it runs.
	Node string
	// State is the newest one, Changed is closed when a newer one exists than the
	// one read after this call.
	State   func() *cluster.State
	Changed func() <-chan struct{}
	// Send makes one attempt.
	Send func(ctx context.Context, alert cluster.Alert, m Message) error
	// Note writes the cursor into the log. A cursor that could not be written is
	// written with the next one.
	Note func(ctx context.Context, told cluster.Told) error

	// at is the last event that was dealt with; noted is when that was written.
	at     cluster.Cursor
	noted  time.Time
	passed int
	told   cluster.Told
	missed uint64
	// forgotten is up to where it has been counted that the timeline lost something.
	forgotten uint64
}

// Run tells events until the context ends.
func (r *Runner) Run(ctx context.Context) {
	r.Alert = r.Alert.WithDefaults()
	r.at, _ = r.State().Alerts.Get(r.Alert.Name)
	r.missed = r.at.Missed
	r.told.Problem = r.at.Problem
	for ctx.Err() == nil {
		changed := r.Changed()
		state := r.State()
		if e, kind, found := r.next(state); found {
			r.tell(ctx, state, e, kind)
			if time.Since(r.noted) >= noteEvery {
				r.note(ctx)
			}
			continue
		}
		r.rest(ctx, changed)
	}
	if r.unnoted() {
		// Whoever goes on after a planned end tells nothing twice.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNote)
		defer cancel()
		r.note(last)
	}
}

// next is the oldest event that waits, after those too many were left out.
func (r *Runner) next(state *cluster.State) (event cluster.Event, kind string, found bool) {
	if noted, _ := state.Alerts.Get(r.Alert.Name); r.at.Before(cluster.Event{Index: noted.Index, Ordinal: noted.Ordinal}) {
		r.at.Index, r.at.Ordinal = noted.Index, noted.Ordinal // another node told these
	}
	r.countLost(state)
	var waiting []cluster.Event
	for _, e := range state.Timeline {
		if !r.at.Before(e) {
			continue
		}
		if r.Alert.Wants(state.KindOf(e), e) {
			waiting = append(waiting, e)
		} else if len(waiting) == 0 {
			r.pass(e)
		}
	}
	if excess := len(waiting) - mostWaiting; excess > 0 {
		r.leaveOut(uint64(excess), fmt.Sprintf("more than %d events waited, the oldest were left out", mostWaiting))
		r.moveTo(waiting[excess-1])
		waiting = waiting[excess:]
	}
	if len(waiting) == 0 {
		return event, "", false
	}
	return waiting[0], state.KindOf(waiting[0]), true
}

// countLost notices that the timeline was cut between the cursor and its oldest
// event. How many of those lost were of interest, nobody knows; one is
// counted, so that it is told.
func (r *Runner) countLost(state *cluster.State) {
	if len(state.Timeline) == 0 || state.Forgotten <= max(r.at.Index, r.forgotten) {
		return
	}
	r.forgotten = state.Forgotten
	r.leaveOut(1, fmt.Sprintf(
		"the timeline no longer has all that happened after %d; of what it lost up to %d nobody was told",
		r.at.Index, state.Forgotten))
	if oldest := state.Timeline[0]; r.at.Index+1 < oldest.Index {
		r.moveTo(cluster.Event{Index: oldest.Index - 1})
	}
}

func (r *Runner) leaveOut(count uint64, why string) {
	r.told.Dropped += count
	r.missed += count
	r.told.Problem, r.told.Trouble = why, why
}

// pass goes by an event of no interest.
func (r *Runner) pass(e cluster.Event) {
	r.moveTo(e)
	r.passed++
}

// moveTo goes behind an event.
func (r *Runner) moveTo(e cluster.Event) { r.at.Index, r.at.Ordinal = e.Index, e.Ordinal }

// tell makes the attempts for one event.
func (r *Runner) tell(ctx context.Context, state *cluster.State, e cluster.Event, kind string) {
	m := MessageOf(state.Cluster, r.Alert.Name, kind, e, r.missed)
	var problem error
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, min(2*pause, longestPause) {
		if problem = r.Send(ctx, r.Alert, m); problem == nil || attempt >= r.Alert.Attempts {
			break
		}
		if !sleep.For(ctx, pause) {
			break
		}
	}
	if ctx.Err() != nil {
		return // not told and not given up: whoever goes on begins with it
	}
	r.moveTo(e)
	if problem != nil {
		r.told.Failed++
		r.missed++
		r.told.Problem, r.told.Trouble = problem.Error(), problem.Error()
		return
	}
	r.told.Sent++
	r.told.Problem = ""
	r.missed = 0
}

// unnoted reports whether there is something to write.
func (r *Runner) unnoted() bool {
	return r.told.Sent+r.told.Failed+r.told.Dropped > 0 || r.passed >= noteAfter
}

func (r *Runner) note(ctx context.Context) {
	told := r.told
	told.Alert, told.Node = r.Alert.Name, r.Node
	told.Index, told.Ordinal = r.at.Index, r.at.Ordinal
	r.noted = time.Now()
	if r.Note(ctx, told) == nil {
		r.told = cluster.Told{Problem: told.Problem}
		r.passed = 0
	}
}

// rest waits for news, and writes the cursor when its time has come.
func (r *Runner) rest(ctx context.Context, changed <-chan struct{}) {
	var due <-chan time.Time
	if r.unnoted() {
		wait := noteEvery - time.Since(r.noted)
		if wait <= 0 {
			r.note(ctx)
			return
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-due:
	}
}

// Teller is the node that tells an alert: the one named, or the leader.
func Teller(root *cluster.State, alert cluster.Alert, leader string) string {
	if alert.Node != "" && root.Nodes.Has(alert.Node) {
		return alert.Node
	}
	return leader
}
