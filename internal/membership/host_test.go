package membership

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/config/nodefile"
)

func TestAnAddressOfAnotherHostIsNoneOfThisOne(t *testing.T) {
	for address, want := range map[string]string{"": "", "127.0.0.1": "",
		"192.0.2.77": "does not have the address 192.0.2.77"} {
		err := OnThisHost(nodefile.Node{Address: address})
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}
