package recorder

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	clusterplan "github.com/clusterd/clusterd/cluster/plan"
)

// numbered is a record whose decision differs from every other.
func numbered(i int) *mind.Planned {
	var state cluster.State
	state.Index = uint64(i)
	return &mind.Planned{State: &state,
		Decision: clusterplan.Decision{Commands: []cluster.Command{cluster.NodeGone{Node: "node1", Incarnation: uint64(i)}}}}
}

func newRecorder(t *testing.T, limits Limits) (*Recorder, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "plans")
	limits.Spare = 1
	return New(Options{Folder: folder, Clusterd: "1.2.3", Node: "node1", Logger: slog.New(slog.DiscardHandler),
		Limits: limits}), folder
}

// written runs the recorder over what was handed to it.
func written(r *Recorder) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Run(ctx)
}

func TestTheOldestRecordsGoAndTheLimitsHold(t *testing.T) {
	for _, limits := range []Limits{{Files: 5}, {Files: 100, Bytes: 2000}} {
		r, folder := newRecorder(t, limits)
		limits = limits.withDefaults()
		for i := 1; i <= 40; i++ {
			r.Keep(numbered(i), noon.Add(-time.Duration(i)*time.Hour)) // a clock that steps back
			written(r)
			paths, err := List(folder)
			if err != nil {
				t.Fatal(err)
			}
			var total int64
			for _, path := range paths {
				information, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if information.Mode().Perm() != 0o600 {
					t.Fatalf("%s has mode %v", path, information.Mode())
				}
				total += information.Size()
			}
			if len(paths) == 0 || len(paths) > limits.Files || total > limits.Bytes {
				t.Fatalf("after %d records: %d files, %d bytes; the limits are %+v", i, len(paths), total, limits)
			}
			newest, err := Read(paths[len(paths)-1])
			if err != nil || newest.Planned.State.Index != uint64(i) {
				t.Fatalf("the newest is index %d, %v; want %d", newest.Planned.State.Index, err, i)
			}
		}
	}
}

func TestOneDecisionProposedAgainIsOneRecord(t *testing.T) {
	r, folder := newRecorder(t, Limits{})
	for i := range 5 {
		r.Keep(numbered(1), noon.Add(time.Duration(i)*time.Second))
	}
	r.Keep(numbered(2), noon.Add(6*time.Second))
	r.Keep(numbered(2), noon.Add(10*time.Minute))
	written(r)
	paths, err := List(folder)
	if err != nil || len(paths) != 3 {
		t.Errorf("%d records, %v; want one for each decision, and one for the same much later", len(paths), err)
	}
	if c := r.Counters(); c != (Counters{Written: 3, Repeated: 4}) {
		t.Errorf("counted %+v", c)
	}
}

func TestAStuckDiskCostsTheOldestAndNeverWaits(t *testing.T) {
	r, folder := newRecorder(t, Limits{Files: 1000})
	for i := 1; i <= queueLength+10; i++ {
		r.Keep(numbered(i), noon) // nobody writes
	}
	if c := r.Counters(); c.Dropped != 10 {
		t.Errorf("counted %+v, want 10 dropped", c)
	}
	written(r)
	paths, err := List(folder)
	if err != nil || len(paths) != queueLength {
		t.Fatalf("%d records, %v", len(paths), err)
	}
	oldest, err := Read(paths[0])
	if err != nil || oldest.Planned.State.Index != 11 || oldest.Missed != 10 {
		t.Errorf("the oldest is index %d and tells %d missed, %v", oldest.Planned.State.Index, oldest.Missed, err)
	}
}

func TestABrokenFolderIsCountedAndToldOnce(t *testing.T) {
	var journal bytes.Buffer
	blocked := filepath.Join(t.TempDir(), "plans")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(t.TempDir(), "plans")
	for _, options := range []Options{{Folder: blocked, Limits: Limits{Spare: 1}},
		{Folder: full, Limits: Limits{Spare: 1 << 60}}} {
		journal.Reset()
		options.Logger = slog.New(slog.NewTextHandler(&journal, nil))
		r := New(options)
		for i := 1; i <= 3; i++ {
			r.Keep(numbered(i), noon)
		}
		written(r)
		if c := r.Counters(); c != (Counters{Failed: 3}) {
			t.Errorf("%s: counted %+v", options.Folder, c)
		}
		if told := strings.Count(journal.String(), "was not recorded"); told != 1 {
			t.Errorf("told %d times:\n%s", told, journal.String())
		}
	}
}

func TestRunWritesWhileItRunsAndEnds(t *testing.T) {
	r, folder := newRecorder(t, Limits{})
	synctest.Test(t, func(t *testing.T) {
		r.queue = make(chan Record, queueLength) // of this bubble
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			r.Run(ctx)
			close(ended)
		}()
		r.Keep(numbered(1), noon)
		synctest.Wait()
		if paths, err := List(folder); err != nil || len(paths) != 1 {
			t.Errorf("%d records while it runs, %v", len(paths), err)
		}
		cancel()
		<-ended
	})
}
