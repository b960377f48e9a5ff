package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/resources"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the difference before you commit it")

// TestMain lets all who run the tests live in one time zone.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// transcript is what was typed and what was answered, as it looks on a terminal.
type transcript struct{ strings.Builder }

// typed calls the tool on a screen of that width and adds what it said; the lines
// of standard error are marked.
func (t *transcript) typed(test *testing.T, d *daemon, line string, width int) {
	var out, errOut strings.Builder
	tool := tool{out: &out, errOut: &errOut, screen: func() cli.Screen { return cli.Screen{Width: width} }}
	code := tool.run(test.Context(), append([]string{"--socket", d.socket}, strings.Fields(line)...))
	fmt.Fprintf(t, "$ clustat %s\n%s", line, out.String())
	for _, complaint := range strings.Split(strings.TrimSuffix(errOut.String(), "\n"), "\n") {
		if complaint != "" {
			fmt.Fprintf(t, "(stderr) %s\n", complaint)
		}
	}
	fmt.Fprintf(t, "[exit %d]\n\n", code)
}

func (t *transcript) compare(test *testing.T, name string) {
	test.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(t.String()), 0o600); err != nil {
			test.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		test.Fatal(err)
	}
	if diff := cmp.Diff(string(want), t.String()); diff != "" {
		test.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// everyState is a cluster with a service in each state, and nodes in several.
func everyState() api.Status {
	status := alpha()
	status.Leader = "node1"
	status.Nodes = []api.Node{
		{Name: "node1", ID: 1, State: "online", Online: true, Local: true, Leader: true, Voter: true},
		{Name: "node2.example.com", ID: 2, State: "online", Online: true, Voter: true},
		{Name: "node3", ID: 3, State: "lost", Unprotected: "no fence device is configured for node3"},
		{Name: "a-node-with-a-name-that-is-longer-than-its-column-is-wide", ID: 4, State: "left"},
		{Name: "vote1", ID: 5, State: "online", Online: true, Voter: true, Witness: true},
	}
	status.Services = nil
	for state := resources.Stopped; state <= resources.Migrating; state++ {
		service := api.Service{Name: "vm:" + state.String(), State: int(state), StateText: state.String(), Owner: "node1",
			LastOwner: "node2.example.com"}
		switch state {
		case resources.Stopped, resources.Disabled, resources.Uninitialized:
			service.Owner = ""
		case resources.Started:
			service.Flags, service.FlagsText = 3, "ZP"
		case resources.Checking:
			service.Flags, service.FlagsText = 2, "P"
		}
		status.Services = append(status.Services, service)
	}
	status.Services = append(status.Services, api.Service{Name: "service:with-a-name-longer-than-its-column", State: 112,
		StateText: "started", Owner: "node2.example.com", Flags: 1, FlagsText: "Z"},
		api.Service{Name: "vm:never", State: 110, StateText: "stopped"})
	return status
}

func TestTranscriptOfTheStatus(t *testing.T) {
	d := start(t, &daemon{status: everyState()})
	for _, width := range []int{80, 160} {
		var told transcript
		for _, line := range []string{"", "-f", "-m node3", "-s vm:started", "-l -s vm:started"} {
			told.typed(t, d, line, width)
		}
		told.compare(t, fmt.Sprintf("status-%d.txt", width))
	}
	for name, lines := range map[string][]string{
		"status-long.txt": {"-l"},
		"status-xml.txt":  {"-x", "-x -s vm:failed", "-x -m node3"},
		"status-json.txt": {"--json", "--json -s vm:failed", "--json -m node3"},
	} {
		var told transcript
		for _, line := range lines {
			told.typed(t, d, line, 80)
		}
		told.compare(t, name)
	}
}

func TestTranscriptOfEveryExitCode(t *testing.T) {
	var told transcript
	d := start(t, &daemon{status: everyState()})
	for _, service := range d.status.Services {
		told.typed(t, d, "-s "+service.Name, 80)
	}
	for _, line := range []string{"-s vm:none", "-s stoped", "-m node1", "-m node3", "-m node9", "-Q", "-I", "-v",
		"-x -i 2", "-i 2 -x", "-i 2 --json", "-S", "-i often", "vm:web"} {
		told.typed(t, d, line, 80)
	}
	inquorate := everyState()
	inquorate.Quorate = false
	told.typed(t, start(t, &daemon{status: inquorate}), "-Q", 80)
	told.compare(t, "exit-codes.txt")
}

func TestTranscriptOfWhy(t *testing.T) {
	var told transcript
	d := start(t, &daemon{status: alpha()})
	for _, line := range []string{"--why vm:web", "--why vm:web --json", "--why web", "--why vm:wbe"} {
		told.typed(t, d, line, 80)
	}
	told.compare(t, "why.txt")
}

func TestTranscriptOfTheTimeline(t *testing.T) {
	var told transcript
	d := start(t, &daemon{status: alpha(), events: []cluster.Event{event(1, "vm:web", "first"),
		event(2, "vm:db", "second"), event(3, "vm:web", "third")}})
	for _, line := range []string{"--events", "--events --limit 1", "--events -s vm:db", "--events -s vm:wbe",
		"--events -m node7", "--events --limit 0"} {
		told.typed(t, d, line, 80)
	}
	told.compare(t, "timeline.txt")
}
