package server

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

// What an entry of the log cannot hold is refused before anybody waits for it, with what would make
// it smaller. It counts packed: a document is refused for what it says and not for its length.
func TestADocumentThatNoEntryHoldsIsRefusedWithTheFigures(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	definition := func(bytes int) string {
		noise := make([]byte, bytes)
		_, _ = random.Read(noise)
		return hex.EncodeToString(noise)
	}
	small := map[string]string{"aa": definition(1 << 20), "bb": strings.Repeat("<disk/>\n", 2<<20)}
	if err := fitsEntry(cluster.Configure{Text: "cluster: a\n", Blobs: small}); err != nil {
		t.Errorf("18 MB that pack well are refused: %v", err)
	}
	large := map[string]string{"aa": definition(1 << 20), "bb": definition(5 << 20), "cc": definition(3 << 20)}
	err := fitsEntry(cluster.Configure{Text: "cluster: a\n", Blobs: large})
	var refusal *refused
	if !errors.As(err, &refusal) || refusal.status != http.StatusRequestEntityTooLarge || refusal.Code != "too_large" {
		t.Fatalf("%v", err)
	}
	for _, figure := range []string{"an entry can have 8388608", "3 new definitions", "the largest of 10485760 bytes",
		"apply it in parts"} {
		if !strings.Contains(refusal.Message, figure) {
			t.Errorf("%q is not said: %s", figure, refusal.Message)
		}
	}
}
