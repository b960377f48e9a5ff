package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
)

// stand is a State with one alert, and a log that takes its cursors.
type stand struct {
	t  *testing.T
	mu sync.Mutex
	// state is changed under mu by Apply; runners read copies.
	state   cluster.State
	changed chan struct{}
	alert   cluster.Alert
	// sent are the messages by what they are about, fails makes attempts fail.
	sent  []string
	tries int
	fails func(m Message) error
	notes int
	// deaf makes the log take nothing.
	deaf bool
}

func newStand(t *testing.T, alert cluster.Alert) *stand {
	alert.Name = "pager"
	s := &stand{t: t, changed: make(chan struct{}), alert: alert, fails: func(Message) error { return nil }}
	s.apply(cluster.Init{Cluster: "demo", ID: "id", Level: cluster.CurrentLevel})
	s.apply(cluster.Configure{Text: "1",
		Document: cluster.Document{Cluster: "demo", Alerts: map[string]cluster.Alert{"pager": alert}}})
	return s
}

func (s *stand) apply(command cluster.Command) apply.Applied {
	s.mu.Lock()
	defer s.mu.Unlock()
	applied := apply.Apply(&s.state, cluster.Entry{Index: s.state.Index + 1, At: time.Now(),
		Commands: []cluster.Command{command}})
	close(s.changed)
	s.changed = make(chan struct{})
	return applied
}

// happen makes events about the cluster: a lock and its end, in turn.
func (s *stand) happen(times int) {
	for range times {
		s.mu.Lock()
		locked := s.state.Lock != nil
		s.mu.Unlock()
		if locked {
			s.apply(cluster.UnlockCluster{})
		} else {
			s.apply(cluster.LockCluster{})
		}
	}
}

// pause lets time pass, and everybody come to rest.
func pause(length time.Duration) {
	time.Sleep(length)
	synctest.Wait()
}

func (s *stand) root() *cluster.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Fork()
}

func (s *stand) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	r := &Runner{Alert: s.alert, Node: "node1", State: s.root, Send: s.send, Note: s.note,
		Changed: func() <-chan struct{} {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.changed
		}}
	var done sync.WaitGroup
	done.Go(func() { r.Run(ctx) })
	return func() {
		cancel()
		done.Wait()
	}
}

func (s *stand) send(_ context.Context, _ cluster.Alert, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if err := s.fails(m); err != nil {
		return err
	}
	s.sent = append(s.sent, fmt.Sprintf("%d.%d missed %d", m.Index, m.Ordinal, m.Missed))
	return nil
}

func (s *stand) note(_ context.Context, told cluster.Told) error {
	s.mu.Lock()
	s.notes++
	deaf := s.deaf
	s.mu.Unlock()
	if deaf {
		return errors.New("there is no leader")
	}
	s.apply(told)
	return nil
}

func (s *stand) cursor() cluster.Cursor {
	cursor, _ := s.root().Alerts.Get("pager")
	return cursor
}

// told are the sentences of the timeline about the alert.
func (s *stand) told() []string {
	var told []string
	for _, e := range s.root().Timeline {
		if strings.HasPrefix(e.Subject, "alert:") {
			told = append(told, e.Why.String())
		}
	}
	return told
}

func TestEventsAreToldInOrderAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{})
		stop := s.run(t.Context())
		s.happen(3)
		pause(10 * time.Second)
		if want := []string{"3.0 missed 0", "4.0 missed 0", "5.0 missed 0"}; !slices.Equal(s.sent, want) {
			t.Errorf("told %v, want %v", s.sent, want)
		}
		stop()
		// Another leader goes on where this one stopped.
		s.happen(1)
		stop = s.run(t.Context())
		pause(10 * time.Second)
		stop()
		if len(s.sent) != 4 || s.cursor().Sent != 4 || s.cursor().Problem != "" || len(s.told()) != 0 {
			t.Errorf("told %v, cursor %+v, timeline %q", s.sent, s.cursor(), s.told())
		}
	})
}

func TestACursorThatWasNotWrittenTellsAgainAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{})
		s.deaf = true
		stop := s.run(t.Context())
		s.happen(2)
		pause(10 * time.Second)
		stop()
		s.deaf = false
		stop = s.run(t.Context())
		pause(10 * time.Second)
		stop()
		if want := []string{"3.0 missed 0", "4.0 missed 0", "3.0 missed 0", "4.0 missed 0"}; !slices.Equal(s.sent, want) {
			t.Errorf("told %v, want %v", s.sent, want)
		}
	})
}

func TestAttemptsAreBoundedAndApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{Attempts: 4})
		var at []time.Duration
		began := time.Now()
		s.fails = func(m Message) error {
			if m.Index > 3 {
				return nil
			}
			at = append(at, time.Since(began))
			return errors.New("it does not answer")
		}
		defer s.run(t.Context())()
		s.happen(2)
		pause(time.Minute)
		if want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
		if want := []string{"4.0 missed 1"}; !slices.Equal(s.sent, want) {
			t.Errorf("told %v, want %v", s.sent, want)
		}
		if c := s.cursor(); c.Failed != 1 || c.Sent != 1 || c.Problem != "" {
			t.Errorf("the cursor is %+v", c)
		}
		if told := s.told(); len(told) == 0 || told[0] != "1 event not delivered: it does not answer" {
			t.Errorf("the timeline says %q", told)
		}
	})
}

func TestOfTooManyTheOldestAreLeftOutAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{Attempts: 1})
		s.happen(mostWaiting + 17)
		defer s.run(t.Context())()
		pause(time.Minute)
		if c := s.cursor(); c.Sent != mostWaiting || c.Dropped != 17 || len(s.sent) != mostWaiting ||
			s.sent[0] != "20.0 missed 17" {
			t.Errorf("told %d from %q on, cursor %+v", len(s.sent), s.sent[0], c)
		}
		if told := s.told(); len(told) != 1 ||
			told[0] != "17 events not delivered: more than 256 events waited, the oldest were left out" {
			t.Errorf("the timeline says %q", told)
		}
		if s.notes > 40 {
			t.Errorf("%d cursors were written", s.notes)
		}
	})
}

func TestATimelineThatWasCutIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{})
		s.happen(2500)
		defer s.run(t.Context())()
		pause(time.Minute)
		if c := s.cursor(); c.Sent != mostWaiting || c.Dropped != 2000-mostWaiting+1 {
			t.Errorf("the cursor is %+v", c)
		}
	})
}

func TestWhatIsOfNoInterestIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{Kinds: []string{"service"}})
		defer s.run(t.Context())()
		s.happen(noteAfter - 10)
		pause(time.Minute)
		if s.tries != 0 || s.notes != 0 {
			t.Errorf("%d attempts, %d cursors written", s.tries, s.notes)
		}
		s.happen(20)
		pause(time.Minute)
		if s.tries != 0 || s.notes != 1 || len(s.told()) != 0 {
			t.Errorf("%d attempts, %d cursors written, timeline %q", s.tries, s.notes, s.told())
		}
	})
}

func TestItEndsInTheMiddleOfAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t, cluster.Alert{Attempts: 10})
		s.fails = func(Message) error { return errors.New("it does not answer") }
		stop := s.run(t.Context())
		s.happen(1)
		pause(20 * time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 0 || s.cursor().Failed != 0 {
			t.Errorf("it ended after %s, cursor %+v", took, s.cursor())
		}
	})
}
