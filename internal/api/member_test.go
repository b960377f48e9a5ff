package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every tool says of a host whether it belongs to a cluster at all.
func TestAToolWithoutADaemonSaysWhetherTheHostIsAMember(t *testing.T) {
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"a new host", "", "", "This host belongs to no cluster yet. Found one: clusterd init --name NAME"},
		{"a member", "membership.json", "{}", "Start it with: systemctl start clusterd"},
		{"a removed node", "removed.json", `{"cluster":"alpha","node":"node3","at":"2026-01-02T03:04:05Z"}`,
			"This host, node3, was removed from cluster alpha"},
	} {
		folder := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(folder, c.file), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		client, err := NewClient(Options{Socket: filepath.Join(folder, "none"), Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Status(t.Context(), false)
		if advice := Advice(err); !strings.Contains(advice, c.want) {
			t.Errorf("%s: %v, %q", c.name, err, advice)
		}
	}
}
