package scsi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

// What can be known of a disk before anybody has registered, each with its words.
func TestProspect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		array  array
		absent bool
		known  bool
		want   string
	}{
		{name: "fresh", known: true},
		{name: "fresh, and nobody is known"},
		{name: "in use by this cluster", known: true, array: array{Generation: 3, Keys: []Key{KeyOf("c", "a")},
			Holder: KeyOf("c", "a"), Type: WriteExclusiveRegistrantsOnly}},
		{name: "in use by another", known: true, array: array{Generation: 3, Keys: []Key{0xabcd}, Holder: 0xabcd,
			Type: WriteExclusiveRegistrantsOnly},
			want: "key 0x000000000000abcd is registered and belongs to no node of this cluster"},
		{name: "in use by somebody", array: array{Generation: 3, Keys: []Key{0xabcd}, Holder: 0xabcd,
			Type: WriteExclusiveRegistrantsOnly}},
		{name: "reserved otherwise", array: array{Generation: 3, Keys: []Key{0xabcd}, Holder: 0xabcd, Type: 1},
			want: "reserved already, by key 0x000000000000abcd with type 1"},
		{name: "forgetful", array: array{Forgetful: true}, want: "forgets reservations when it loses power"},
		{name: "without reservations", array: array{Answer: map[operation]outcome{opRead: outUnsupported}},
			want: "it knows none (SCSI-3 PR)"},
		{name: "not there", absent: true, want: "this node has no such disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder, path := t.TempDir(), filepath.Base(diskOne)
			if !c.absent {
				saveArray(filepath.Join(folder, path), &c.array)
			}
			options := Options{Helper: []string{os.Args[0], "array", folder}, Node: "a",
				Nodes: func() []string { return []string{"a", "b"} }}
			if c.known {
				options.Cluster = "c"
			}
			device := fence.Device{Name: "san", Driver: Kind, Options: map[string]string{"devices": diskOne}}
			findings, err := Prospect(t.Context(), device, options)
			if err != nil || len(findings) != 1 {
				t.Fatalf("%+v, %v", findings, err)
			}
			f := findings[0]
			if (f.Problem == "") != (c.want == "") || !strings.Contains(f.Problem, c.want) {
				t.Errorf("%q, want %q", f.Problem, c.want)
			}
			if !c.absent {
				for _, asked := range loadArray(filepath.Join(folder, path)).Log {
					if asked != string(opRead) {
						t.Errorf("it was asked to %s", asked)
					}
				}
			}
		})
	}
}
