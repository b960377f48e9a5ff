package daemon

import (
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config/nodefile"
)

// The policy of a host's own file holds whoever changes the document, at the node that is asked and
// at the door of the node where the VM would come up.
func TestANodesPolicyForbidsDefinitions(t *testing.T) {
	inBubble(t, func(s *site) {
		s.members["node2"].daemon.door.Policy = nodefile.DefinitionPolicy{Declared: true}
		text := documentOf(map[string]string{"vm:a": "node1"})
		evil := "<devices><emulator>/tmp/evil</emulator></devices></domain>"
		text = strings.Replace(text, "</domain>", evil, 1)
		change := api.ConfigChange{Base: s.status("node1").ConfigVersion, Text: text}
		code, body := s.ask("node2", rootUser, "POST", api.PathConfig, change)
		failure := decoded[api.Failure](t, body)
		const said = "vm:a is refused by node2: it names the program"
		if code != http.StatusUnprocessableEntity || !strings.Contains(failure.Message, said) {
			t.Errorf("asked at node2: %d %+v", code, failure)
		}
		var reply api.ConfigReply
		s.must("node1", rootUser, "POST", api.PathConfig, change, &reply)
		s.until("both know it", func() bool { return s.current("node2").State().Services.Has("vm:a") })
		if why := s.current("node2").door.Forbidden("vm:a"); !strings.Contains(why, "does not allow emulator") {
			t.Errorf("the door of node2 lets it in: %q", why)
		}
		if why := s.current("node1").door.Forbidden("vm:a"); why != "" {
			t.Errorf("the door of node1, which has no policy, refuses it: %s", why)
		}
	})
}
