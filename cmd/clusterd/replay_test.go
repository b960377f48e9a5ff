package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/recorder"
)

// recorded writes one record with the given commands over a State in which
// today's Plan lets node2 go, and returns its path.
func recorded(t *testing.T, commands ...cluster.Command) string {
	t.Helper()
	state := &cluster.State{Level: 1}
	state.Nodes.Set("node2", cluster.Member{Name: "node2", Incarnation: 7, State: cluster.NodeLeaving})
	view := cluster.View{Self: "node1", Leading: true, Contacts: map[string]cluster.Contactwatch{"node2": {Heard: true}}}
	folder := filepath.Join(t.TempDir(), "plans")
	r := recorder.New(recorder.Options{Folder: folder, Node: "node1", Logger: slog.New(slog.DiscardHandler),
		Limits: recorder.Limits{Spare: 1}})
	r.Keep(&mind.Planned{State: state, View: view, Decision: plan.Decision{Commands: commands}}, time.Now())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ended)
	paths, err := recorder.List(folder)
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	return paths[0]
}

func TestReplayEndsWithWhatItFound(t *testing.T) {
	same := recorded(t, cluster.NodeGone{Node: "node2", Incarnation: 7})
	other := recorded(t, cluster.NodeGone{Node: "node2", Incarnation: 6})
	torn := filepath.Join(t.TempDir(), "torn")
	if err := os.WriteFile(torn, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		code  int
		want  error
	}{
		"the same":               {[]string{same}, 0, nil},
		"a folder":               {[]string{filepath.Dir(same)}, 0, nil},
		"one of two differs":     {[]string{same, other}, 1, errDiffers},
		"a torn one":             {[]string{torn, same}, 1, nil},
		"an empty folder":        {[]string{t.TempDir()}, 1, nil},
		"a file that is missing": {[]string{filepath.Join(t.TempDir(), "none")}, 1, os.ErrNotExist},
		"no file":                {nil, 2, command.ErrUsage},
	} {
		err := newApp().Run(append([]string{"clusterd", "replay"}, c.files...))
		code := 0
		if err != nil {
			code = exitCode(err)
		}
		if code != c.code || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: exit code %d, %v; want %d", name, code, err, c.code)
		}
	}
}
