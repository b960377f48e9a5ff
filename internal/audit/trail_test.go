package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func written(t *testing.T, folder string, acts ...string) *Trail {
	t.Helper()
	trail, err := Open(folder, "node1")
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range acts {
		if err := trail.write(Entry{At: time.Unix(1000, 0), Who: "alice", Act: act, Result: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	return trail
}

func TestATrailGoesOnAfterARestartAndShowsChanges(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, "remove node3", "backup")
	trail := written(t, folder, "start vm:web")
	entries, _, err := trail.Read(0, 100)
	if err != nil || len(entries) != 3 || entries[2].Seq != 3 {
		t.Fatalf("%+v, %v", entries, err)
	}
	if err := Verify(entries); err != nil {
		t.Error(err)
	}
	path := filepath.Join(folder, "trail")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for what, changed := range map[string]string{
		"changed":   strings.Replace(string(text), "backup", "status", 1),
		"taken out": strings.Join(append(lines[:1:1], lines[2:]...), ""),
	} {
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		entries, _, err := trail.Read(0, 100)
		if err != nil || Verify(entries) == nil {
			t.Errorf("an entry that was %s does not show: %+v, %v", what, entries, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the trail has mode %v, %v", info.Mode(), err)
	}
}

func TestATrailIsBounded(t *testing.T) {
	folder := t.TempDir()
	trail := written(t, folder)
	long := strings.Repeat("x", longestText)
	for range 6 * largestFile / (3 * longestText) * 2 {
		if err := trail.write(Entry{Who: long, Act: long, Result: long}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(found) != files {
		t.Errorf("%d files, %v; want %d", len(found), err, files)
	}
	entries, _, err := trail.Read(0, 1<<30)
	if err != nil || Verify(entries) != nil {
		t.Errorf("after files were given up the rest does not hold together: %v, %v", err, Verify(entries))
	}
}

func TestEntriesThatFindNoPlaceAreCounted(t *testing.T) {
	trail := written(t, t.TempDir())
	for range waiting + 7 {
		trail.Note(Entry{Who: "somebody", Act: "knocks"})
	}
	if err := trail.write(<-trail.queue); err != nil {
		t.Fatal(err)
	}
	entries, _, err := trail.Read(0, 10)
	if err != nil || len(entries) != 1 || entries[0].More != 7 {
		t.Errorf("%+v, %v; want 7 more", entries, err)
	}
}
