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
	"github.com/clusterd/clusterd/internal/message"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the difference before you commit it")

// transcript is what was typed and what was answered, as it looks on a terminal.
type transcript struct{ strings.Builder }

// typed adds one call; the lines of standard error are marked.
func (t *transcript) typed(line, out, errOut string, code int) {
	fmt.Fprintf(t, "$ clusvcadm %s\n%s", line, out)
	for _, complaint := range strings.Split(strings.TrimSuffix(errOut, "\n"), "\n") {
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

func TestTranscriptOfEveryOperation(t *testing.T) {
	var told transcript
	for _, line := range []string{
		"-e vm:web", "-e vm:web -m node2", "-F -e vm:web", "-d vm:web", "-s vm:web", "-r vm:web", "-r vm:web -m node2",
		"-M vm:web -m node2",
		"-R vm:web", "-Z vm:web", "-Z vm:web --for 2h", "-U vm:web", "-c vm:web", "-d shop", "-e vm:web -d vm:web",
		"-q -d vm:web", "-Mvm:web -n node2", "-v",
		"-d vm:web --json",
	} {
		d := start(t, api.Reply{Done: true, Owner: "node2", ID: "7"})
		out, errOut, code := d.call(t.Context(), line, cli.Screen{})
		told.typed(line, masked(out), errOut, code)
	}
	told.compare(t, "operations.txt")
}

// masked takes out what is another one each time.
func masked(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, `  "id": `) {
			lines[i] = "  \"id\": \"...\",\n"
		}
	}
	return strings.Join(lines, "")
}

func TestTranscriptOfEveryReturnCode(t *testing.T) {
	var told transcript
	for code := 2; code >= -21; code-- {
		d := start(t, api.Reply{Done: true, Code: code, Owner: "node1",
			Why: message.Words(fmt.Sprintf("the sentence behind return code %d", code))})
		out, errOut, exit := d.call(t.Context(), "-r vm:web -m node2", cli.Screen{})
		told.typed("-r vm:web -m node2", out, errOut, exit)
	}
	told.compare(t, "return-codes.txt")
}

// TestTranscriptOfSuccessesWithAReason: a success may leave something open, which is told once.
func TestTranscriptOfSuccessesWithAReason(t *testing.T) {
	var told transcript
	left := message.StateLeftBehind.With("node2", "/var/lib/libvirt/qemu/nvram/web.fd", "node1")
	for _, c := range []struct {
		line  string
		reply api.Reply
	}{
		{"-e vm:web", api.Reply{Owner: "node2", Why: left}},
		{"-e vm:web -m node1", api.Reply{Owner: "node2", Why: message.RequestDoneUnwatched.With("node2", left)}},
		{"-e vm:web", api.Reply{Owner: "node1", Why: message.RequestAlreadyUp.With("node1")}},
		{"-s vm:web", api.Reply{Why: message.StopAsksOthers.With("node1", []string{"node2", "node3"})}},
		{"-s vm:web", api.Reply{Why: message.RequestStopsNothing.With()}},
		{"-d vm:web", api.Reply{Why: message.StopAsksOthers.With("node1", []string{"node2", "node3"})}},
		{"-R vm:web", api.Reply{Owner: "node2", Why: message.RequestRestartedElsewhere.With("node2", "node1",
			message.TroubleOfStart.With("node1", message.Text{}))}},
		{"-r vm:web", api.Reply{Owner: "node2", Why: left}},
		{"-M vm:web -m node2", api.Reply{Owner: "node2", Why: left}},
		{"-e vm:web", api.Reply{Code: cli.CodeRunning, Owner: "node1",
			Why: message.ServiceRunsAlready.With("vm:web", "node1")}},
		{"-qe vm:web", api.Reply{Owner: "node2", Why: left}},
	} {
		c.reply.Done = true
		out, errOut, exit := start(t, c.reply).call(t.Context(), c.line, cli.Screen{})
		told.typed(c.line, out, errOut, exit)
	}
	told.compare(t, "successes.txt")
}

func TestTranscriptOfWhatIsNotSent(t *testing.T) {
	var told transcript
	for _, line := range []string{
		"-M vm:web", "-M vm:web -m nod2", "-r vm:web -m elsewhere", "-M vm:web -m node3", "-e web", "-e vm:wbe",
		"-e service:shp", "-e vm:web -F -m node1",
		"-x", "-e", "vm:web", "--relocat vm:web", "-d vm:web --for 2h", "-Z vm:web --for 0s", "-Z vm:web --for soon",
		"-e vm:web --wait -1s",
		"-M vm:web --json", "-M vm:web -m nod2 --json", "-M vm:web -m node3 --json", "-e vm:wbe --json", "-x --json",
		"-e vm:web --wait -1s --json",
	} {
		d := start(t, api.Reply{Done: true})
		out, errOut, code := d.call(t.Context(), line, cli.Screen{})
		told.typed(line, out, errOut, code)
		if len(d.requests) != 0 {
			t.Errorf("%s: a request was sent: %+v", line, d.requests)
		}
	}
	told.compare(t, "not-sent.txt")
}

func TestTranscriptOfRefusals(t *testing.T) {
	var told transcript
	for _, failure := range []api.Failure{
		{Code: "permission_denied",
			Message: "Permission denied: this needs root on the node, or an administrator's certificate"},
		{Code: "not_yet_supported", Message: "this needs cluster version 2, and version 1 is in force"},
		{Code: "unknown_service", Message: "there is no service vm:web in the cluster document"},
		{Code: "log_volume", Message: "the log's volume is full"},
	} {
		d := start(t, api.Reply{})
		d.failure = &failure
		out, errOut, code := d.call(t.Context(), "-d vm:web", cli.Screen{})
		told.typed("-d vm:web", out, errOut, code)
		for _, line := range []string{"-l", "-l --json"} {
			out, errOut, code = d.call(t.Context(), line, cli.Screen{})
			told.typed(line, out, errOut, code)
		}
	}
	told.compare(t, "refusals.txt")
}

func TestTranscriptOfDryRuns(t *testing.T) {
	var told transcript
	d := start(t, api.Reply{})
	try := func(line string, rehearsal cluster.Rehearsal) {
		d.rehearsal = rehearsal
		out, errOut, code := d.call(t.Context(), line+" --dry-run", cli.Screen{})
		told.typed(line+" --dry-run", out, errOut, code)
	}
	moved := cluster.Rehearsal{Done: true, Owner: "node2",
		Events: []cluster.Event{{Subject: "vm:web", Node: "node2", From: "started", To: "migrating",
			Why: message.Words("asked to migrate"), By: "root"},
			{Subject: "vm:web", Node: "node2", From: "migrating", To: "started", Why: message.Words("moved live")}}}
	try("-M vm:web -m node2", moved)
	try("-M vm:web -m node2 --json", moved)
	try("-r vm:web -m node2",
		cluster.Rehearsal{Done: true, Code: -7, Refused: message.Words("node2 is not a member of restricted domain main")})
	try("-e service:shop", cluster.Rehearsal{
		Notes: []cluster.Note{{Subject: "service:shop", Why: message.Words("no node may run it: node1 is on standby"),
			Next: message.Words("clusterd node return node1")}}})
	try("-e vm:web", cluster.Rehearsal{Done: true, Code: -10})
	try("-l", cluster.Rehearsal{})
	try("-u", cluster.Rehearsal{})
	try("-S", cluster.Rehearsal{})
	for _, request := range d.requests {
		if !request.DryRun {
			t.Errorf("a dry run sent %+v", request)
		}
	}
	if d.lock.Locked {
		t.Error("a dry run locked the cluster")
	}
	told.compare(t, "dry-runs.txt")
}

func TestTranscriptOfTheLock(t *testing.T) {
	var told transcript
	d := start(t, api.Reply{})
	for _, line := range []string{"-S", "-l --reason storage", "-S", "-S --json", "-q -l", "-u", "-S"} {
		out, errOut, code := d.call(t.Context(), line, cli.Screen{})
		told.typed(line, strings.ReplaceAll(out, lockedAt.Local().Format("Mon Jan _2 15:04:05 2006"), "(when)"), errOut, code)
	}
	told.compare(t, "lock.txt")
}

var lockedAt = time.Date(2026, 11, 22, 10, 15, 4, 0, time.UTC)
