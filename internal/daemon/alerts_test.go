package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
)

// pager writes down what it is told, and by whom.
type pager struct {
	// hangs lets every attempt wait until it is closed; nil does not.
	hangs chan struct{}

	mu   sync.Mutex
	told []string
	deaf bool
}

func (p *pager) at(node string) teller {
	return func(ctx context.Context, _ cluster.Alert, m alerts.Message) error {
		if p.hangs != nil {
			select {
			case <-p.hangs:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.deaf {
			return errors.New("nobody is at home")
		}
		p.told = append(p.told, fmt.Sprintf("%s: %d.%d %s", node, m.Index, m.Ordinal, m.To))
		return nil
	}
}

func (p *pager) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// alertedBy declares one service and one alert.
func (s *site) alertedBy(p *pager, alert string) {
	s.t.Helper()
	for _, name := range threeNodes {
		s.members[name].daemon.teller = p.at(name)
	}
	s.pagers = p.at
	leader := s.leader()
	text := documentOf(map[string]string{"vm:web": "node1"}) + "alerts:\n  pager: " + alert + "\n"
	var reply api.ConfigReply
	s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status(leader).ConfigVersion,
		Text: text}, &reply)
	s.until("the service runs", func() bool { return s.service(leader, "vm:web").State.String() == "started" })
}

// carriedOut asks for an operation and waits for its end.
func (s *site) carriedOut(at, op string) {
	s.t.Helper()
	reply := s.request(at, api.Request{ID: api.NewRequestID(), Op: cluster.Operation(op), Service: "vm:web"})
	s.until(op+" is done", func() bool { return s.outcome(at, reply.ID).Done })
}

func TestAlertsAreToldByTheLeaderAndByTheNextOne(t *testing.T) {
	inBubble(t, func(s *site) {
		p := &pager{}
		s.alertedBy(p, `{program: /bin/page, kinds: [service]}`)
		leader := s.leader()
		s.carriedOut(leader, "disable")
		time.Sleep(5 * time.Second)
		byFirst := len(p.heard())
		s.kill(leader)
		next := s.leader()
		s.carriedOut(next, "enable")
		time.Sleep(30 * time.Second)
		s.start(leader)
		time.Sleep(30 * time.Second)
		// Every event since the declaration, in order, and none of them twice.
		var want []string
		for _, e := range s.members[next].daemon.replica.Root().Timeline {
			if e.Subject == "vm:web" && e.Why.String() != "declared; every node is asked whether it runs there" {
				want = append(want, fmt.Sprintf("%d.%d %s", e.Index, e.Ordinal, e.To))
			}
		}
		var got []string
		for i, told := range p.heard() {
			who, event, _ := strings.Cut(told, ": ")
			if (i < byFirst && who != leader) || (i == byFirst && who == leader) {
				t.Errorf("message %d was told by %s", i, who)
			}
			got = append(got, event)
		}
		if !slices.Equal(got, want) || byFirst < 4 || len(got) < byFirst+2 {
			t.Errorf("told %q, the first %d by the first leader, want %q", got, byFirst, want)
		}
		var list api.Alerts
		s.must(next, anybody, "GET", api.PathAlerts, nil, &list)
		if len(list.Alerts) != 1 || list.Alerts[0].Sent != uint64(len(got)) || list.Alerts[0].Teller != s.leader() ||
			list.Alerts[0].Problem != "" {
			t.Errorf("the list is %+v", list)
		}
	})
}

func TestAnAlertThatHangsDelaysNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		p := &pager{hangs: make(chan struct{})}
		s.alertedBy(p, `{program: /bin/page}`)
		time.Sleep(5 * time.Second)
		began := time.Now()
		s.carriedOut(s.leader(), "disable")
		s.carriedOut(s.leader(), "enable")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a stop and a start took %s", took)
		}
		close(p.hangs)
	})
}

func TestAnAlertOfANodeIsToldThereAndItsTroubleIsInTheTimeline(t *testing.T) {
	inBubble(t, func(s *site) {
		p := &pager{deaf: true}
		s.alertedBy(p, `{program: /bin/page, node: node2, attempts: 1, states: [disabled]}`)
		leader := s.leader()
		s.carriedOut(leader, "disable")
		var trouble cluster.Event
		s.until("the timeline tells of it", func() bool {
			e, found := s.eventAt(leader, "alert:pager", "failing", time.Time{})
			trouble = e
			return found
		})
		if trouble.Node != "node2" || trouble.Why.String() != "1 event not delivered: nobody is at home" {
			t.Errorf("the timeline tells %+v", trouble)
		}
		if code, text := s.ask("node2", rootUser, "POST", api.PathAlerts,
			api.AlertTest{Name: "pager"}); code != http.StatusBadGateway ||
			!strings.Contains(string(text), "alert pager does not work from node2: nobody is at home") {
			t.Errorf("a test of it: %d %s", code, text)
		}
		p.mu.Lock()
		p.deaf = false
		p.mu.Unlock()
		var tested api.AlertTested
		s.must("node2", rootUser, "POST", api.PathAlerts, api.AlertTest{Name: "pager"}, &tested)
		synctest.Wait()
		if got := p.heard(); len(got) != 1 || got[0] != "node2: 0.0 " || tested.Teller != "node2" {
			t.Errorf("told %q, tested %+v", got, tested)
		}
		if code, text := s.ask("node2", rootUser, "POST", api.PathAlerts,
			api.AlertTest{Name: "pagr"}); code != http.StatusNotFound ||
			!strings.Contains(string(text), "Did you mean 'pager'?") {
			t.Errorf("a test of another: %d %s", code, text)
		}
	})
}
