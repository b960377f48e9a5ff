package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/manual"
	"github.com/clusterd/clusterd/internal/message"
)

// daemon answers as a clusterd would.
type daemon struct {
	socket string
	status api.Status
	// staleOnly refuses a linearizable read; hangs answers no question that it is asked to.
	staleOnly bool
	hangs     func(*http.Request) bool
	// events are given whole when nothing is asked for "after"; later ones follow one by one.
	events, later []cluster.Event
}

func start(t *testing.T, d *daemon) *daemon {
	t.Helper()
	d.socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, value any) {
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.PathStatus, func(w http.ResponseWriter, r *http.Request) {
		if d.staleOnly && r.FormValue("fresh") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			answer(w, api.Failure{Code: "no_leader", Message: "there is no leader"})
			return
		}
		answer(w, d.status)
	})
	mux.HandleFunc("GET "+api.PathEvents, func(w http.ResponseWriter, r *http.Request) {
		page := api.Events{}
		for _, event := range d.events {
			if service := r.FormValue("service"); service == "" || service == event.Subject {
				page.Events = append(page.Events, event)
			}
		}
		if r.FormValue("after") != "" {
			page.Events = nil
			if len(d.later) > 0 {
				page.Events, d.later = d.later[:1], d.later[1:]
			}
		}
		answer(w, page)
	})
	mux.HandleFunc("GET "+api.PathServices+"/{name}/why", func(w http.ResponseWriter, r *http.Request) {
		if _, known := cli.FindService(d.status, r.PathValue("name")); !known {
			w.WriteHeader(http.StatusNotFound)
			answer(w, api.Failure{Code: "unknown_service", Message: "there is no such service"})
			return
		}
		answer(w, cluster.Explanation{Service: r.PathValue("name"), State: "started", Owner: "node1",
			Candidates: []cluster.Candidate{{Node: "node1", Order: 1, Here: true, Services: 2,
				Why: message.Words("priority 1 in domain main")},
				{Node: "node2", Why: message.Words("node2 is left")}}})
	})
	mux.HandleFunc("GET "+api.PathMoves, func(w http.ResponseWriter, _ *http.Request) { answer(w, api.Moves{}) })
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.hangs != nil && d.hangs(r) {
			<-r.Context().Done()
			return
		}
		mux.ServeHTTP(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return d
}

func alpha() api.Status {
	return api.Status{Cluster: "alpha", Generation: 1, At: time.Date(2026, 11, 22, 10, 15, 4, 0, time.UTC),
		Quorate: true, Local: "node1",
		Nodes: []api.Node{{Name: "node1", ID: 1, State: "online", Online: true, Local: true},
			{Name: "node2", ID: 17, State: "left"}},
		Services: []api.Service{{Name: "vm:web", State: 112, StateText: "started", Owner: "node1"},
			{Name: "vm:db", State: 119, StateText: "disabled", LastOwner: "node2"},
			{Name: "vm:mail", State: 111, StateText: "starting", Owner: "node1"}}}
}

func (d *daemon) call(ctx context.Context, line string) (out, errOut string, code int) {
	var o, e strings.Builder
	t := tool{out: &o, errOut: &e, screen: func() cli.Screen { return cli.Screen{Width: 80} }}
	code = t.run(ctx, append([]string{"--socket", d.socket}, strings.Fields(line)...))
	return o.String(), e.String(), code
}

func TestExitCodes(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	for line, want := range map[string]int{
		"": 0, "-f": 0, "-l": 0, "-x": 0, "--json": 0, "-v": 0, "-h": 0, "-?": 0, "-Q": 0, "-I": 0,
		"-s vm:web": 0, "-s vm:mail": 0, "-s vm:db": 119, "-lsvm:db": 119, "-xs vm:db": 119, "-s web": 255, "-s vm:none": 255,
		"-m node1": 0, "-m node2": 1, "-m node9": 255,
		"-i 1 -x": 1, "--classic": 0, "-x -i 1": 1, "-y": 1, "web": 1, "-i": 1, "-i often": 1,
		"--events -s vm:web": 0, "--events -s vm:none": 255, "--events -m none": 255, "--events --limit 0": 1,
		"--why vm:web": 0, "--why web": 255, "--why vm:web --json": 0,
	} {
		if _, _, code := d.call(t.Context(), line); code != want {
			t.Errorf("clustat %s: exit code %d, want %d", line, code, want)
		}
	}
	help, _, _ := d.call(t.Context(), "-h")
	manual.FitsATerminal(t, "clustat", help)
	word := strings.Builder{}
	if code := (&tool{out: &word}).run(t.Context(), []string{"help"}); code != 0 || word.String() != help {
		t.Errorf("clustat help: %d, %q", code, word.String())
	}
	inquorate := alpha()
	inquorate.Quorate = false
	if out, _, code := start(t, &daemon{status: inquorate}).call(t.Context(), "-Q"); code != 1 || out != "" {
		t.Errorf("-Q without a quorum: %d, %q", code, out)
	}
}

func TestOutput(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	for line, want := range map[string]string{
		"-I": "0x00000001\n",
		"-v": "clustat version " + cli.Version + "\n",
		"-Q": "",
		"-s vm:db": " Service Name                   Owner (Last)                   State\n" +
			" ------- ----                   ----- ------                   -----\n" +
			" vm:db                          (node2)                        disabled\n",
		"-m node2": " Member Name                             ID   Status\n" +
			" ------ ----                             ---- ------\n" +
			" node2                                      17 Offline, left\n",
	} {
		if out, errOut, _ := d.call(t.Context(), line); out != want || errOut != "" {
			t.Errorf("clustat %s: got %q, %q, want %q", line, out, errOut, want)
		}
	}
	for line, want := range map[string]string{
		"-s web":   "service:web: Service does not exist. Did you mean 'vm:web'?\n",
		"-m node3": "'node3' not in membership list. Did you mean 'node1'?\n",
		"-x -i 5":  "Error: Options '-i' and '-x' are mutually exclusive\n",
	} {
		if out, errOut, _ := d.call(t.Context(), line); errOut != want || out != "" {
			t.Errorf("clustat %s: got %q, %q, want %q", line, out, errOut, want)
		}
	}
}

func TestJSONIsTheStatusOrTheRowAskedFor(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	for line, want := range map[string][2]int{"--json": {2, 3}, "--json -m node1": {1, 0}, "--json -s vm:web": {0, 1}} {
		out, _, _ := d.call(t.Context(), line)
		var read api.Status
		if err := json.Unmarshal([]byte(out), &read); err != nil {
			t.Fatal(err)
		}
		if len(read.Nodes) != want[0] || len(read.Services) != want[1] {
			t.Errorf("%s: %d nodes and %d services, want %v", line, len(read.Nodes), len(read.Services), want)
		}
	}
}

func TestWithoutALeaderWhatTheNodeKnowsIsShownAndSaidToBe(t *testing.T) {
	d := start(t, &daemon{status: alpha(), staleOnly: true})
	out, _, code := d.call(t.Context(), "")
	if code != 0 || !strings.Contains(out,
		"The cluster could not be asked (there is no leader). Shown is what node1 knows.\n") ||
		!strings.Contains(out, "vm:web") {
		t.Errorf("got %d and\n%s", code, out)
	}
	if out, _, _ := d.call(t.Context(), "-f"); strings.Contains(out, "could not be asked") {
		t.Errorf("-f asked the cluster:\n%s", out)
	}
}

// TestAStatusComesWithinASecond: also where the leader died a moment ago, and a fresh one does not.
func TestAStatusComesWithinASecond(t *testing.T) {
	t.Parallel()
	d := start(t, &daemon{status: alpha(), hangs: func(r *http.Request) bool { return r.FormValue("fresh") != "" }})
	for _, line := range []string{"", "-l", "-s vm:web"} {
		begin := time.Now()
		out, _, code := d.call(t.Context(), line)
		if took := time.Since(begin); code != 0 || !strings.Contains(out, "vm:web") || took > time.Second {
			t.Errorf("clustat %s: %d after %s, %q", line, code, took, out)
		}
	}
	// A node that asks the leader for its notes takes another 300 ms.
	if freshWithin > 600*time.Millisecond {
		t.Errorf("the cluster is asked for %s, which leaves too little of a second", freshWithin)
	}
}

// TestADaemonThatHangsIsAnErrorSoon: none of its own answers is waited for as long as for an act.
func TestADaemonThatHangsIsAnErrorSoon(t *testing.T) {
	d := start(t, &daemon{status: alpha(), hangs: func(*http.Request) bool { return true }})
	for _, line := range []string{"", "-f", "--why vm:web"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			_, errOut, code := d.call(t.Context(), line)
			if took := time.Since(begin); code != 1 || errOut == "" || took > 8*time.Second {
				t.Errorf("clustat %s: %d after %s, %q", line, code, took, errOut)
			}
		})
	}
}

// TestWithoutQuorumEveryAnswerSaysSo: what is shown may be out of date.
func TestWithoutQuorumEveryAnswerSaysSo(t *testing.T) {
	for _, quorate := range []bool{true, false} {
		status := alpha()
		status.Quorate = quorate
		d := start(t, &daemon{status: status, events: []cluster.Event{event(1, "vm:web", "first")}})
		for _, line := range []string{"--events", "--events -s vm:web", "--events --json", "--moves", "--moves --json",
			"--why vm:web"} {
			_, errOut, code := d.call(t.Context(), line)
			told := strings.HasPrefix(errOut, "NO QUORUM: what follows is what node1 last knew; ")
			if code != 0 || told == quorate || quorate && errOut != "" {
				t.Errorf("clustat %s, quorum %t: %d, %q", line, quorate, code, errOut)
			}
		}
		if out, _, _ := d.call(t.Context(), ""); strings.Contains(out, "Inquorate") == quorate {
			t.Errorf("clustat, quorum %t:\n%s", quorate, out)
		}
	}
}

func TestNoDaemon(t *testing.T) {
	d := &daemon{socket: filepath.Join(t.TempDir(), "none")}
	for _, line := range []string{"", "-Q", "-x", "--events"} {
		_, errOut, code := d.call(t.Context(), line)
		if code != 1 || !strings.HasPrefix(errOut,
			"Could not connect to clusterd: no such file or directory\nIt does not seem to run on this host") {
			t.Errorf("clustat %s: %d, %q", line, code, errOut)
		}
	}
}

func event(index uint64, subject, why string) cluster.Event {
	return cluster.Event{Index: index, Subject: subject, Why: message.Words(why),
		At: time.Date(2026, 11, 22, 9, 0, int(index), 0, time.Local)}
}

func TestEvents(t *testing.T) {
	d := start(t, &daemon{status: alpha(), events: []cluster.Event{event(1, "vm:web", "first"),
		event(2, "vm:db", "second"), event(3, "vm:web", "third")}})
	for line, want := range map[string]string{
		"--events": "Sun Nov 22 2026\n09:00:01.000  vm:web  first\n09:00:02.000  vm:db   " +
			"second\n09:00:03.000  vm:web  third\n",
		"--events --limit 1":  "Sun Nov 22 2026\n09:00:03.000  vm:web  third\n",
		"--events -s vm:db":   "Sun Nov 22 2026\n09:00:02.000  vm:db  second\n",
		"--events -s vm:mail": "",
	} {
		if out, _, _ := d.call(t.Context(), line); out != want {
			t.Errorf("%s: got %q, want %q", line, out, want)
		}
	}
}

// stopAfter ends the context when a text was printed.
type stopAfter struct {
	printed strings.Builder
	writes  int
	text    string
	stop    func()
}

func (s *stopAfter) Write(text []byte) (int, error) {
	s.writes++
	n, err := s.printed.Write(text)
	if strings.Contains(s.printed.String(), s.text) {
		s.stop()
	}
	return n, err
}

func TestFollowGoesOnUntilItIsStopped(t *testing.T) {
	d := start(t, &daemon{status: alpha(), events: []cluster.Event{event(1, "vm:web", "first")},
		later: []cluster.Event{event(2, "vm:web", "second"), event(3, "vm:web", "third")}})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out := &stopAfter{text: "third", stop: stop}
	follow := tool{out: out, errOut: out, screen: func() cli.Screen { return cli.Screen{Width: 80} }}
	code := follow.run(ctx, []string{"--socket", d.socket, "--events", "--follow"})
	if text := out.printed.String(); code != 0 || strings.Count(text, "first") != 1 ||
		strings.Count(text, "second") != 1 || strings.Count(text, "third") != 1 || strings.Count(text, "Nov") != 1 {
		t.Errorf("got %d, %q", code, text)
	}
}

func TestFollowAsJSONIsOneLinePerEvent(t *testing.T) {
	d := start(t, &daemon{status: alpha(), events: []cluster.Event{event(1, "vm:web", "first")},
		later: []cluster.Event{event(2, "vm:web", "second"), event(3, "vm:web", "third")}})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out := &stopAfter{text: "third", stop: stop}
	follow := tool{out: out, errOut: out, screen: func() cli.Screen { return cli.Screen{Width: 80} }}
	code := follow.run(ctx, []string{"--socket", d.socket, "--events", "--follow", "--json"})
	lines := strings.Split(strings.TrimSpace(out.printed.String()), "\n")
	if code != 0 || len(lines) != 3 {
		t.Fatalf("got %d, %q", code, lines)
	}
	for i, line := range lines {
		var read cluster.Event
		if err := json.Unmarshal([]byte(line), &read); err != nil || read.Index != uint64(i+1) {
			t.Errorf("line %d is %q: %v", i, line, err)
		}
	}
}

func TestRepeatDrawsOverTheOldPicture(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out := &stopAfter{text: eraseRest, stop: stop}
	repeated := tool{out: out, errOut: out,
		screen: func() cli.Screen { return cli.Screen{Terminal: true, Width: 80, Height: 12} }}
	code := repeated.run(ctx, []string{"--socket", d.socket, "-i", "1"})
	text := out.printed.String()
	if code != 0 || !strings.HasPrefix(text, enterPage+goHome+"Cluster Status for alpha @ ") ||
		!strings.HasSuffix(text, eraseLine+eraseRest+leavePage) {
		t.Errorf("got %d, %q", code, text)
	}
	if out.writes != 3 {
		t.Errorf("%d writes for entering, one picture and leaving", out.writes)
	}
	if lines := strings.Count(text, "\r\n") + 1; lines != 12 || !strings.Contains(text, "lines 1-11 of 13, 2 more below") {
		t.Errorf("a screen of 12 lines shows %d: %q", lines, text)
	}
}

func TestRepeatIntoAFileTellsNoTerminal(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out := &stopAfter{text: "vm:mail", stop: stop}
	repeated := tool{out: out, errOut: out, screen: func() cli.Screen { return cli.Screen{Width: 80} }}
	if code := repeated.run(ctx, []string{"--socket", d.socket, "-i", "1"}); code != 0 ||
		strings.Contains(out.printed.String(), "\x1b") {
		t.Errorf("got %d, %q", code, out.printed.String())
	}
}
