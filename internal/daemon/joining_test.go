package daemon

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
)

func TestNothingOfAJoinThatIsRefusedStays(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(s *site) {
		s.members["node4"] = newSite(s.t, dir, []string{"node4"}).members["node4"]
		token := s.token("node1")
		twin, _ := s.members["node1"].daemon.State().Nodes.Get("node2")
		for what, change := range map[string]func(*api.JoinRequest){
			"a path for a name":     func(r *api.JoinRequest) { r.Node = "../../etc" },
			"an address of nobody":  func(r *api.JoinRequest) { r.Address = "0.0.0.0:7440" },
			"an address of many":    func(r *api.JoinRequest) { r.Address = "[ff02::1]:7440" },
			"an address, no port":   func(r *api.JoinRequest) { r.Address = "10.0.0.4" },
			"a port that is none":   func(r *api.JoinRequest) { r.Address = "10.0.0.4:0" },
			"another's address":     func(r *api.JoinRequest) { r.Address = twin.Address },
			"an escape for a UUID":  func(r *api.JoinRequest) { r.HardwareUUID = "\x1b[31m" },
			"a name nobody may use": func(r *api.JoinRequest) { r.Addresses = []string{"no host!"} },
			"17 addresses":          func(r *api.JoinRequest) { r.Addresses = slices.Repeat([]string{"10.0.0.4"}, 17) },
		} {
			body := s.joinBody("node4", token.ID, token.Secret())
			change(&body)
			code, answer := s.ask("node1", joiner, "POST", api.PathJoin, body)
			if code != http.StatusBadRequest && code != http.StatusConflict {
				t.Errorf("%s: %d %s", what, code, answer)
			}
			if strings.Contains(decoded[api.Failure](t, answer).Message, "\x1b") {
				t.Errorf("%s: the answer carries an escape", what)
			}
			if root := s.members["node1"].daemon.State(); root.Nodes.Len() != 3 || !root.Tokens.Has(token.ID) {
				t.Fatalf("%s: half of it was applied: %v", what, root.Nodes.Keys())
			}
		}
		if code, failure := s.join("node1", "node4", token); code != http.StatusOK {
			t.Errorf("the good one is refused: %d %+v", code, failure)
		}
		delete(s.members, "node4")
	})
}
