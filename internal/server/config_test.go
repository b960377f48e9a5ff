package server

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
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

// A question about a document changes nothing, and an answer is a map or a reason.
func TestWhatADocumentWouldDoIsAskedWithoutChangingIt(t *testing.T) {
	f := newFake()
	f.root.Document = cluster.Document{Cluster: "test"}
	handler := f.serve().Handler()
	code, body := ask(t, handler, rootUser, "POST", api.PathWhatIf, api.ConfigChange{Base: 4, Text: "cluster: test\n"})
	if code != http.StatusConflict || !strings.Contains(string(body), "at version 0") {
		t.Errorf("a document for another version: %d %s", code, body)
	}
	code, body = ask(t, handler, rootUser, "POST", api.PathWhatIf, api.ConfigChange{Text: "cluster: [\n"})
	if code != http.StatusUnprocessableEntity {
		t.Errorf("a document with a fault: %d %s", code, body)
	}
	code, body = ask(t, handler, rootUser, "POST", api.PathWhatIf, api.ConfigChange{Text: "cluster: other\n"})
	var reply api.WhatIfReply
	if err := json.Unmarshal(body, &reply); err != nil || code != http.StatusOK || reply.Refused.IsZero() {
		t.Errorf("a document of another cluster: %d %s", code, body)
	}
	if len(f.proposed) > 0 || len(f.kept) > 0 {
		t.Errorf("it reached the log or the trail: %v %v", f.proposed, f.kept)
	}
}
