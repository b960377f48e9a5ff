package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/tryout"
)

// runTest runs `clusterd test` and returns what it prints, with its exit code
// and its error.
func runTest(t *testing.T, words ...string) string {
	t.Helper()
	var out bytes.Buffer
	app := newApp()
	for i, command := range app.Commands {
		if command.Name == "test" {
			app.Commands[i] = tryout.CommandTo(&out)
		}
	}
	words, err := command.Ordered(app, append([]string{"clusterd"}, words...))
	if err == nil {
		err = app.Run(words)
	}
	if err != nil {
		fmt.Fprintf(&out, "clusterd: %v\nexit code %d\n", err, exitCode(err))
	}
	return out.String()
}

// TestRehearsals holds what `clusterd test` prints. REWRITE=1 writes it anew:
// read the difference.
func TestRehearsals(t *testing.T) {
	var told strings.Builder
	for _, line := range []string{
		"test tree alpha.yaml",
		"test tree alpha.yaml web",
		"test tree pair.conf",
		"test tree forty.xml",
		"test tree alpha.yaml wep",
		"test delta alpha.yaml changed.yaml",
		"test delta alpha.yaml alpha.yaml",
		"test place alpha.yaml web",
		"test place alpha.yaml app --on db=node2 --on web=node1 --down node3",
		"test place alpha.yaml far --down node3",
		"test place alpha.yaml far --on far=node1",
		"test place alpha.yaml vm:none",
		"test place alpha.yaml web --on web",
		"test simulate alpha.yaml --lose node1",
		"test simulate alpha.yaml --lose node3",
		"test simulate alpha.yaml --lose node1,node2",
		"test simulate alpha.yaml --lose node1 --witness",
		"test simulate pair.conf --lose node1",
		"test simulate forty.xml --lose a",
		"test simulate forty.xml --lose a --witness",
		"test simulate alpha.yaml --lose nobody",
		"test simulate alpha.yaml",
		"test start pair.conf vm:guest1 --noop",
		"test status alpha.yaml",
		"test rules ocf:nobody:Nothing",
	} {
		words := strings.Fields(line)
		for i, word := range words {
			if strings.Contains(word, ".") && filepath.Ext(word) != "" {
				words[i] = "testdata/rehearsal/" + word
			}
		}
		fmt.Fprintf(&told, "$ clusterd %s\n%s\n", line, runTest(t, words...))
	}
	const path = "testdata/rehearsal/transcript.txt"
	got := strings.ReplaceAll(told.String(), "testdata/rehearsal/", "")
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAServiceIsReallyStartedAndStopped by its agents, here a script.
func TestAServiceIsReallyStartedAndStopped(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("agents run as root")
	}
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flag := filepath.Join(folder, "runs")
	script := write("door", "#!/bin/sh\ncase $1 in\nstart) touch "+flag+";;\nstop) rm -f "+flag+";;\nstatus) test -e "+
		flag+" || exit 3;;\nesac\n", 0o755)
	document := write("d.yaml", "cluster: a\nservices:\n  service:door: {resources: [{type: \"lsb:"+script+
		"\"}]}\n", 0o600)
	node := write("node.yaml", "name: node1\nrun_dir: "+filepath.Join(folder, "run")+"\ndata_dir: "+filepath.Join(folder,
		"data")+"\nboot_id_file: "+write("boot", "boot-1\n", 0o600)+"\n", 0o600)
	is := func(want bool) {
		t.Helper()
		if _, err := os.Stat(flag); (err == nil) != want {
			t.Errorf("it runs: %t", err == nil)
		}
	}
	for _, c := range []struct {
		words []string
		runs  bool
		want  string
	}{
		{[]string{"status"}, false, "service:door: absent: none of its 1 resources runs here\nclusterd: service:door " +
			"does not run here\nexit code 1\n"},
		{[]string{"start", "--noop"}, false,
			"  1. lsb:" + script + " door-door: " + script + " start, within 1m0s\nNothing was run but the agents' " +
				"meta-data.\n"},
		{[]string{"start"}, true, "  lsb:" + script + " door-door started\nservice:door: running: 1 resources started\n"},
		{[]string{"status"}, true, "service:door: running: its checks are good\n"},
		{[]string{"stop"}, false, "  stopped\nservice:door: absent: every resource is stopped\n"},
		{[]string{"status"}, false, "service:door: absent: none of its 1 resources runs here\nclusterd: service:door " +
			"does not run here\nexit code 1\n"},
	} {
		got := runTest(t, append(append([]string{"--config", node, "test"}, c.words...), document, "door")...)
		if got != c.want {
			t.Errorf("%v printed:\n%s\nwant:\n%s", c.words, got, c.want)
		}
		is(c.runs)
	}
	if err := os.MkdirAll(filepath.Join(folder, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("data/membership.json", `{"cluster":"alpha","id":"1","node":"node1"}`, 0o600)
	for _, action := range []string{"start", "stop"} {
		if got := runTest(t, "--config", node, "test", action, document, "door"); !strings.Contains(got,
			"this host is a member of the cluster alpha") {
			t.Errorf("%s on a member printed:\n%s", action, got)
		}
	}
	is(false)
}
