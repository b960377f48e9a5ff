package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/manual"
	"github.com/clusterd/clusterd/internal/message"
)

// daemon answers as a clusterd would, from a script of replies.
type daemon struct {
	socket string

	mutex    sync.Mutex
	requests []api.Request
	// replies are given one after the other, first to the request, then to each question; the last
	// one stays.
	replies []api.Reply
	failure *api.Failure
	lock    api.LockStatus
	// rehearsal is the answer to a dry run.
	rehearsal cluster.Rehearsal
	asked     chan struct{}
	inquorate bool
	// stays is what vm:web would leave behind.
	stays string
}

func (d *daemon) status() api.Status {
	return api.Status{Cluster: "alpha", Quorate: !d.inquorate, Local: "node1",
		Nodes: []api.Node{{Name: "node1", ID: 1, Online: true, Local: true}, {Name: "node2", ID: 2, Online: true},
			{Name: "node3", ID: 3}},
		Services: []api.Service{{Name: "vm:web", State: 112, StateText: "started", Owner: "node1", Stays: d.stays},
			{Name: "service:shop", State: 119, StateText: "disabled"}}}
}

func (d *daemon) next() api.Reply {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	reply := d.replies[0]
	if len(d.replies) > 1 {
		d.replies = d.replies[1:]
	}
	return reply
}

func start(t *testing.T, replies ...api.Reply) *daemon {
	t.Helper()
	d := &daemon{socket: filepath.Join(t.TempDir(), "s"), replies: replies, asked: make(chan struct{}, 100)}
	listener, err := net.Listen("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) {
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET "+api.PathStatus, func(w http.ResponseWriter, _ *http.Request) { answer(w, d.status()) })
	mux.HandleFunc("POST "+api.PathRequests, func(w http.ResponseWriter, r *http.Request) {
		var request api.Request
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		d.mutex.Lock()
		d.requests = append(d.requests, request)
		failure := d.failure
		d.mutex.Unlock()
		if request.DryRun && failure == nil {
			answer(w, d.rehearsal)
			return
		}
		if failure != nil {
			w.WriteHeader(http.StatusConflict)
			answer(w, failure)
			return
		}
		answer(w, d.next())
	})
	mux.HandleFunc("GET "+api.PathRequests+"/{id}", func(w http.ResponseWriter, _ *http.Request) {
		d.asked <- struct{}{}
		answer(w, d.next())
	})
	mux.HandleFunc("GET "+api.PathLock, func(w http.ResponseWriter, _ *http.Request) { answer(w, d.lock) })
	mux.HandleFunc("POST "+api.PathLock, func(w http.ResponseWriter, r *http.Request) {
		var request api.LockRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		if d.failure != nil {
			w.WriteHeader(http.StatusForbidden)
			answer(w, d.failure)
			return
		}
		d.lock = api.LockStatus{}
		if request.Op == "lock" {
			d.lock = api.LockStatus{Locked: true, By: "root", At: lockedAt, Reason: request.Reason}
		}
		answer(w, api.Reply{Done: true})
	})
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return d
}

// call runs the tool.
func (d *daemon) call(ctx context.Context, line string, screen cli.Screen) (out, errOut string, code int) {
	var o, e strings.Builder
	if screen.Width == 0 {
		screen.Width = 80
	}
	code = run(ctx, append([]string{"--socket", d.socket}, strings.Fields(line)...), &o, &e, screen)
	return o.String(), e.String(), code
}

func TestDialogue(t *testing.T) {
	for _, c := range []struct {
		name, line string
		reply      api.Reply
		want       string
		code       int
	}{
		{"enable", "-e vm:web", api.Reply{Owner: "node1"},
			"Local machine trying to enable vm:web...Success\nvm:web is now running on node1\n", 0},
		{"enable on a member", "-e vm:web -m node2", api.Reply{Owner: "node2"},
			"Member node2 trying to enable vm:web...Success\nvm:web is now running on node2\n", 0},
		{"ended elsewhere", "-e vm:web -n node2", api.Reply{Owner: "node1"},
			"Member node2 trying to enable vm:web...Success\nWarning: vm:web is now running on node1\n", 0},
		{"enable by the domain", "-Fe vm:web", api.Reply{Owner: "node1"},
			"Local machine trying to enable vm:web...Success\nvm:web is now running on node1\n", 0},
		{"already running", "-e vm:web", api.Reply{Code: -10, Owner: "node1"},
			"Local machine trying to enable vm:web...Service is already running\n", 0},
		{"relocate", "-r vm:web -m node2", api.Reply{Owner: "node2"},
			"Trying to relocate vm:web to node2...Success\nvm:web is now running on node2\n", 0},
		{"relocate anywhere", "-r vm:web", api.Reply{Owner: "node2"},
			"Trying to relocate vm:web...Success\nvm:web is now running on node2\n", 0},
		{"migrate", "-M vm:web -m node2", api.Reply{Owner: "node2", Total: time.Second}, "Trying to migrate vm:web to " +
			"node2...Success\nvm:web is now running on node2\n", 0},
		{"disable", "-d vm:web", api.Reply{}, "Local machine disabling vm:web...Success\n", 0},
		{"stop", "-s vm:web", api.Reply{}, "Local machine stopping vm:web...Success\n", 0},
		{"restart", "-R vm:web", api.Reply{Owner: "node1"}, "Local machine trying to restart vm:web...Success\nvm:web is " +
			"now running on node1\n", 0},
		{"freeze", "-Z vm:web", api.Reply{}, "Local machine freezing vm:web...Success\n", 0},
		{"unfreeze", "-U vm:web", api.Reply{}, "Local machine unfreezing vm:web...Success\n", 0},
		{"a name without type", "-d shop", api.Reply{}, "Local machine disabling service:shop...Success\n", 0},
		{"failure", "-M vm:web -m node2", api.Reply{Code: -7,
			Why: message.Words("node2 is not a member of restricted domain main")},
			"Trying to migrate vm:web to node2...Operation violates dependency rule\nnode2 is not a member of restricted " +
				"domain main\n", 249},
		{"a code nobody knows", "-d vm:web", api.Reply{Code: -77}, "Local machine disabling vm:web...Failure\n", 179},
		{"quiet", "-qd vm:web", api.Reply{}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.reply.Done = true
			d := start(t, c.reply)
			out, errOut, code := d.call(t.Context(), c.line, cli.Screen{})
			if out != c.want || code != c.code || errOut != "" {
				t.Errorf("got %q, %q, %d, want %q, %d", out, errOut, code, c.want, c.code)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	for line, want := range map[string]api.Request{
		"-e vm:web -F":                        {Op: "enable", Service: "vm:web"},
		"-M vm:web -m node2 --reason patches": {Op: "migrate", Service: "vm:web", Node: "node2", Reason: "patches"},
		"-d vm:web -m node2":                  {Op: "disable", Service: "vm:web"},
		"-c vm:web --reason disk":             {Op: "convalesce", Service: "vm:web", Reason: "disk"},
		"-Z vm:web --for 90m":                 {Op: "freeze", Service: "vm:web", For: 90 * time.Minute},
	} {
		d := start(t, api.Reply{Done: true})
		d.call(t.Context(), line, cli.Screen{})
		if len(d.requests) != 1 {
			t.Fatalf("%s: %d requests were sent", line, len(d.requests))
		}
		got := d.requests[0]
		if len(got.ID) != 32 {
			t.Errorf("%s: the id is %q", line, got.ID)
		}
		got.ID = ""
		if got != want {
			t.Errorf("%s: sent %+v, want %+v", line, got, want)
		}
	}
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"-M vm:web -m nod2", "'nod2' not in membership list. Did you mean 'node2'?\n", 1},
		{"-r vm:web -m elsewhere", "'elsewhere' not in membership list\n", 1},
		{"-M vm:web -m node3", "'node3' is offline\n", 1},
		{"-M vm:web", "Migration requires a target cluster member\n", 1},
		{"-e web", "service:web: Service does not exist. Did you mean 'vm:web'?\n", 252},
		{"-e vm:wbe", "vm:wbe: Service does not exist. Did you mean 'vm:web'?\n", 252},
		{"-e vm:web -F -m node1", "Cannot use '-F' with '-n' or '-m'\n", 1},
		{"-x", "usage: invalid option -- 'x'\nSee clusvcadm -h.\n", 1},
		{"-e vm:web --wait soon", "usage: --wait takes a time with its unit, such as 15m or 2h, not \"soon\"\nSee " +
			"clusvcadm -h.\n", 1},
		{"-e vm:web more", "usage: \"more\" is not an option; write clusvcadm -e SERVICE, for example\nSee clusvcadm " +
			"-h.\n", 1},
	} {
		d := start(t, api.Reply{Done: true})
		out, errOut, code := d.call(t.Context(), c.line, cli.Screen{})
		if errOut != c.want || code != c.code || out != "" {
			t.Errorf("%s: got %q, %q, %d, want %q, %d", c.line, out, errOut, code, c.want, c.code)
		}
		if len(d.requests) != 0 {
			t.Errorf("%s: a request was sent: %+v", c.line, d.requests)
		}
	}
}

func TestUsage(t *testing.T) {
	d := start(t, api.Reply{})
	for line, want := range map[string]int{"": 1, "-h": 1, "-?": 1} {
		if out, _, code := d.call(t.Context(), line, cli.Screen{}); code != want || !strings.Contains(out, "--migrate") {
			t.Errorf("%q: got %d and %q", line, code, out)
		}
	}
	out, _, _ := d.call(t.Context(), "-h", cli.Screen{})
	manual.FitsATerminal(t, "clusvcadm", out)
	word := strings.Builder{}
	if run(t.Context(), []string{"help"}, &word, &word, cli.Screen{}); word.String() != out {
		t.Errorf("clusvcadm help: %q", word.String())
	}
	if out, _, code := d.call(t.Context(), "-v", cli.Screen{}); code != 0 || out != "clusvcadm version "+cli.Version+"\n" {
		t.Errorf("-v: got %d and %q", code, out)
	}
}

func TestNoDaemon(t *testing.T) {
	d := &daemon{socket: filepath.Join(t.TempDir(), "none")}
	_, errOut, code := d.call(t.Context(), "-e vm:web", cli.Screen{})
	if code != 1 || !strings.HasPrefix(errOut, "Could not connect to clusterd: no such file or directory\n") ||
		!strings.Contains(errOut, "systemctl start clusterd") {
		t.Errorf("got %d, %q", code, errOut)
	}
}

func TestRefusalByTheCluster(t *testing.T) {
	d := start(t, api.Reply{})
	d.failure = &api.Failure{Code: "permission_denied", Message: "only root may do this on node1"}
	out, _, code := d.call(t.Context(), "-d vm:web", cli.Screen{})
	if code != 238 || out != "Local machine disabling vm:web...Permission denied\nonly root may do this on node1\n" {
		t.Errorf("got %d, %q", code, out)
	}
}

func TestProgressIsOneLineOnATerminalOnly(t *testing.T) {
	replies := []api.Reply{{},
		{Progress: &api.Progress{Phase: "memory", BytesTotal: 1 << 30, BytesRemaining: 1 << 28, BytesPerSecond: 100 << 20,
			TimeLeft: 3 * time.Second}},
		{Done: true, Owner: "node2", Total: 1500 * time.Millisecond, Downtime: 40 * time.Millisecond}}
	out, _, code := start(t, replies...).call(t.Context(), "-M vm:web -m node2", cli.Screen{Terminal: true, Width: 100})
	opening := "Trying to migrate vm:web to node2..."
	want := opening + "\r" + opening + "memory 75%, 768.0 MiB of 1.0 GiB, 100.0 MiB/s, 3 s left\x1b[K" +
		"\r" + opening + "\x1b[K" + "Success\nvm:web is now running on node2\ntotal 1.500 s, downtime 40 ms\n"
	if out != want || code != 0 {
		t.Errorf("got %q, %d, want %q", out, code, want)
	}
	out, _, _ = start(t, replies...).call(t.Context(), "-M vm:web -m node2", cli.Screen{})
	if out != opening+"Success\nvm:web is now running on node2\n" {
		t.Errorf("without a terminal: %q", out)
	}
}

func TestWaiting(t *testing.T) {
	out, _, code := start(t, api.Reply{}).call(t.Context(), "-r vm:web --wait 0", cli.Screen{})
	if code != 0 || !strings.HasPrefix(out, "Trying to relocate vm:web...Requested\nThe operation goes on") {
		t.Errorf("--wait 0: %d, %q", code, out)
	}
	out, _, code = start(t, api.Reply{}).call(t.Context(), "-r vm:web --wait 50ms", cli.Screen{})
	begins := "Trying to relocate vm:web...Still under way after 50ms\nThe operation goes on"
	if code != 235 || !strings.HasPrefix(out, begins) {
		t.Errorf("--wait 50ms: %d, %q", code, out)
	}
}

func TestInterruptStopsTheWaitingNotTheOperation(t *testing.T) {
	d := start(t, api.Reply{})
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-d.asked
		interrupt()
	}()
	out, _, code := d.call(ctx, "-r vm:web", cli.Screen{})
	if code != 130 || !strings.HasPrefix(out,
		"Trying to relocate vm:web...Stopped waiting\nThe operation goes on in the cluster.") {
		t.Errorf("got %d, %q", code, out)
	}
}

func TestJSON(t *testing.T) {
	out, _, code := start(t, api.Reply{Done: true, Code: -17, Text: "x", Owner: "node1"}).call(t.Context(),
		"-r vm:web --json", cli.Screen{Terminal: true})
	var read map[string]any
	if err := json.Unmarshal([]byte(out), &read); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if code != 239 || read["exit"] != 239.0 || read["code"] != -17.0 || read["owner"] != "node1" {
		t.Errorf("got %d, %v", code, read)
	}
}

// TestWaitingForALeaderIsTold: a request without quorum takes ten election timeouts to be refused.
func TestWaitingForALeaderIsTold(t *testing.T) {
	const told = "node1 sees no quorum now; waiting some seconds for a leader.\n"
	for _, line := range []string{"-d vm:web", "-l", "-u"} {
		for _, inquorate := range []bool{true, false} {
			d := start(t, api.Reply{Done: true})
			d.inquorate = inquorate
			if _, errOut, code := d.call(t.Context(), line, cli.Screen{}); code != 0 || (errOut == told) != inquorate {
				t.Errorf("%s without quorum %t: exit code %d, %q", line, inquorate, code, errOut)
			}
		}
	}
}

// TestAColdRelocationSaysWhatItLeavesBehind before it stops anything, and nothing else does.
func TestAColdRelocationSaysWhatItLeavesBehind(t *testing.T) {
	const stays = "/var/lib/libvirt/qemu/nvram/web.fd"
	for line, want := range map[string]bool{"-r vm:web": true, "-r vm:web -m node2": true,
		"-r vm:web -m node1": false, "-M vm:web -m node2": false, "-R vm:web": false, "-r service:shop": false} {
		d := start(t, api.Reply{Done: true, Owner: "node2"})
		d.stays = stays
		_, errOut, _ := d.call(t.Context(), line, cli.Screen{})
		if told := strings.Contains(errOut, stays); told != want {
			t.Errorf("%s: %q", line, errOut)
		}
	}
	if _, errOut, _ := start(t, api.Reply{Done: true, Owner: "node2"}).call(t.Context(), "-r vm:web",
		cli.Screen{}); errOut != "" {
		t.Errorf("of a VM that leaves nothing: %q", errOut)
	}
}

// TestTheStateOfAVMThatIsOffLiesWhereItRanLast: a start elsewhere loses it as well, one there does
// not, and nobody is offered a live move of what does not run.
func TestTheStateOfAVMThatIsOffLiesWhereItRanLast(t *testing.T) {
	const without = " without the contents of X, unless that is shared storage."
	const live = " A live move (-M) takes that along where one is possible."
	on, off := api.Service{Name: "vm:web", Owner: "node1", LastOwner: "node2", Stays: "X"},
		api.Service{Name: "vm:web", LastOwner: "node1", Stays: "X"}
	for _, c := range []struct {
		action, member string
		service        api.Service
		want           string
	}{
		{"relocate", "", on, "Warning: -r stops vm:web and starts it on another node" + without + live},
		{"relocate", "node2", on, "Warning: -r stops vm:web and starts it on node2" + without + live},
		{"relocate", "node1", on, ""},
		{"enable", "node2", on, ""}, // it is refused: it runs elsewhere
		{"relocate", "", off, "Warning: -r may start vm:web on another node than node1" + without},
		{"relocate", "node2", off, "Warning: -r starts vm:web on node2" + without},
		{"relocate", "node1", off, ""},
		{"enable", "node2", off, "Warning: -e starts vm:web on node2" + without},
		{"enable", "node1", off, ""},
		{"enable", "", off, ""},
		{"enable", "node2", api.Service{Name: "vm:web", Stays: "X"}, ""}, // it never ran
		{"migrate", "node2", on, ""},
		{"relocate", "", api.Service{Name: "vm:web", Owner: "node1"}, ""},
	} {
		got := strings.Join(strings.Fields(coldWarning(wish{action: c.action, member: c.member}, c.service)), " ")
		if got != c.want {
			t.Errorf("%s %s: %q, not %q", c.action, c.member, got, c.want)
		}
	}
}
