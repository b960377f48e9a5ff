package daemon

import "testing"

func TestServicesStartWhereTheirDomainPrefers(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2", "vm:c": "node3"})
		for i, node := range threeNodes {
			if on := s.world.runsOn(uuidOf(i)); len(on) != 1 || on[0] != node {
				t.Errorf("service %d runs on %v, want %s", i, on, node)
			}
		}
		if shots := s.world.shotsFired(); len(shots) != 0 {
			t.Errorf("somebody was fenced: %v", shots)
		}
	})
}
