package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// TestARefusalOfTheClusterCarriesItsCode: what refuses can be matched on without its sentence, and
// is shown by tools that do not know the code.
func TestARefusalOfTheClusterCarriesItsCode(t *testing.T) {
	why := message.FenceBegunAlready.With("node2")
	for _, c := range []struct {
		err  error
		want string
	}{
		{Refuse(http.StatusConflict, "refused", "%s", why), `{"code":"refused","message":"node2 is being fenced already",` +
			`"why":{"code":"fence-begun-already","args":{"node":"node2"},"text":"node2 is being fenced already"}}` + "\n"},
		{Refuse(http.StatusNotFound, "unknown_node", "there is no node %s", "nod2"),
			`{"code":"unknown_node","message":"there is no node nod2"}` + "\n"},
	} {
		w := httptest.NewRecorder()
		(&Server{}).fail(w, c.err)
		if got := w.Body.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		var failure api.Failure
		if err := json.Unmarshal(w.Body.Bytes(), &failure); err != nil || failure.Message == "" {
			t.Errorf("it is read as %+v (%v)", failure, err)
		}
	}
}
