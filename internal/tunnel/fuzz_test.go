package tunnel

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzHeader reads the first line of a stream from another node: what is let pass names no place
// outside its folder.
func FuzzHeader(f *testing.F) {
	for _, line := range []string{
		`{"kind":"api","act":"1.7.0"}`, `{"kind":"data","act":"../../etc"}`, `{}`, `null`, "\x00", "[[[",
	} {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var head header
		if readLine(bytes.NewReader(data), headerLimit, &head) != nil || head.check() != nil {
			return
		}
		config := Config{Dir: "/run/tunnel"}
		path := config.dataPath(head.Act)
		if filepath.Dir(path) != config.dataDir() || strings.ContainsAny(head.Act, "/\x00\n") {
			t.Errorf("act %q leads to %q", head.Act, path)
		}
		_ = Roster{Moves: []Move{{Act: "1.7.0", From: "a", To: "b"}}}.expects(head.Act, "a", "b")
	})
}
