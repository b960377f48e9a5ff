package daemon

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// measure is what a node tells a monitoring system: values by metric and labels, as they are
// written.
func (s *site) measure(at string) map[string]float64 {
	s.t.Helper()
	_, text := s.ask(at, anybody, "GET", api.PathMetrics, nil)
	values := map[string]float64{}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, found := strings.Cut(line, " ")
		if number, err := strconv.ParseFloat(value, 64); found && err == nil && strings.HasPrefix(name, "clusterd_") {
			values[strings.TrimPrefix(name, "clusterd_")] = number
		}
	}
	return values
}

// TestMetricsTellOfAFailoverAndNothingWithoutAQuorum: each node tells what it knows, and the one
// that is cut off leaves out what it cannot know.
func TestMetricsTellOfAFailoverAndNothingWithoutAQuorum(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		s.declare(map[string]string{"vm:a": leader})
		for _, name := range threeNodes {
			s.expectMeasured(name, map[string]float64{"has_quorum": 1, "state_current": 1, `services{state="started"}`: 1,
				"leading": truth(name == leader), "failover_seconds_count": 0})
		}
		others := s.followers()
		s.world.setUnproven(leader, true) // so that it stays up to be looked at
		s.isolate(leader)
		s.until("a new leader", func() bool { return s.measure(others[0])["leader_changes_total"] > 1 })
		time.Sleep(3 * time.Second)
		got := s.measure(leader)
		if got["has_quorum"] != 0 || got["state_current"] != 0 || got[`node_last_heard_seconds{node="`+others[0]+`"}`] < 2 {
			t.Errorf("the node that is cut off tells %v", got)
		}
		for name := range got {
			if strings.HasPrefix(name, "services") || strings.HasPrefix(name, "node_online") {
				t.Errorf("the node that is cut off tells %s", name)
			}
		}
		s.world.setUnproven(leader, false)
		s.until("the service runs elsewhere", func() bool {
			return s.service(others[0], "vm:a").Owner != leader &&
				s.service(others[0], "vm:a").Owner != "" && s.service(others[0], "vm:a").Intent == nil
		})
		for _, name := range others {
			s.expectMeasured(name, map[string]float64{"failover_seconds_count": 1, "state_current": 1,
				`fences_total{drill="false",ending="confirmed"}`: 1})
		}
	})
}

func (s *site) expectMeasured(at string, want map[string]float64) {
	s.t.Helper()
	got := s.measure(at)
	for name, value := range want {
		if is, told := got[name]; !told || is != value {
			s.t.Errorf("%s tells of %s %v (told: %v), want %v", at, name, is, told, value)
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
