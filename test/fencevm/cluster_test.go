package fencevm

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// The cluster of machines: a and b have disks, watchdogs and services; c is a
// witness on this host, in the network namespace that they share.
const (
	addressA = "10.98.7.1"
	addressB = "10.98.7.2"
	addressC = "10.98.7.3"
	// clusterLease and clusterWatchdog leave time enough for a machine that is frozen
	// until it is cut off: a watchdog that fires at once on waking would hide the write.
	clusterLease    = 10 * time.Second
	clusterWatchdog = 15 * time.Second
	// longestFailover bounds what takes seconds on a real host.
	longestFailover = 90 * time.Second
)

const clusterDocument = `cluster: vm
timing: relaxed
nodes:
  a: {fence: [[san], [wd]]}
  b: {fence: [[san], [wd]]}
devices:
  wd: {driver: watchdog, options: {timeout: %s, lease: %s}}
  san: {driver: scsi, options: {devices: %s}}
domains:
  prefer-a: {ordered: true, nofailback: true, members: {a: 1, b: 2}}
`

const serviceOfCluster = `services:
  service:shop:
    domain: prefer-a
    resources:
      - {type: "ocf:heartbeat:Filesystem", name: data, parameters: {device: %s, directory: /srv, fstype: raw}}
`

// inNetwork gives the bench a network namespace with a bridge, to which machines
// are connected by name.
func (b *bench) inNetwork(machines ...string) {
	b.t.Helper()
	namespace := fmt.Sprintf("fencevm-%d", os.Getpid())
	ip := func(words string) {
		b.t.Helper()
		if out, err := exec.CommandContext(b.t.Context(), "ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			b.t.Fatalf("ip %s: %v: %s", words, err, out)
		}
	}
	ip("netns add " + namespace)
	b.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", namespace).Run() })
	ip("-n " + namespace + " link set lo up")
	ip("-n " + namespace + " link add br0 type bridge")
	ip("-n " + namespace + " addr add " + addressC + "/24 dev br0")
	ip("-n " + namespace + " link set br0 up")
	for _, name := range machines {
		ip("-n " + namespace + " tuntap add dev tap-" + name + " mode tap")
		ip("-n " + namespace + " link set tap-" + name + " master br0 up")
	}
	b.prefix = []string{"ip", "netns", "exec", namespace}
}

// clusterd builds the program for the machines, as it is shipped but for libvirt.
func (b *bench) clusterd() string {
	b.t.Helper()
	program := filepath.Join(b.dir, "clusterd")
	build := exec.CommandContext(b.t.Context(), "go", "build", "-tags", "urfave_cli_no_docs", "-ldflags", "-s -w", "-o",
		program, "../../cmd/clusterd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

const guestClusterd = "/usr/sbin/clusterd"

// clusterNode is the machine's arguments beyond its disks.
func clusterNode(name string, number int) []string {
	return append([]string{
		"-m", "640", "-uuid", fmt.Sprintf("00000000-0000-4000-8000-%012d", number),
		"-netdev", "tap,id=n0,ifname=tap-" + name + ",script=no,downscript=no",
		"-device", fmt.Sprintf("virtio-net-pci,netdev=n0,romfile=,mac=52:54:00:98:07:%02d", number),
	}, hardwareDog...)
}

// put writes a file in a machine.
func (m *machine) put(path, text string) {
	m.t.Helper()
	m.must("put " + path + " " + base64.StdEncoding.EncodeToString([]byte(text)))
}

// runs runs a program in a machine, which has to succeed, and returns its output.
func (m *machine) runs(input, program string) string {
	m.t.Helper()
	out := ask[struct {
		Code   int
		Output string
	}](m, "run "+input+" "+program)
	if out.Code != 0 {
		m.t.Fatalf("%s: %s: exit code %d: %s", m.name, program, out.Code, out.Output)
	}
	return out.Output
}

// begin starts clusterd in a machine.
func (m *machine) begin() {
	m.t.Helper()
	m.must("spawn /run/clusterd.log " + guestClusterd + " run")
	m.t.Cleanup(func() {
		if !m.t.Failed() {
			return
		}
		select {
		case <-m.ended:
		default:
			m.send("show /run/clusterd.log")
			select {
			case answer := <-m.answers:
				m.t.Logf("%s: clusterd's log: %s", m.name, strings.ReplaceAll(answer, `\n`, "\n"))
			case <-time.After(10 * time.Second):
			}
		}
	})
}

func nodeFile(name, address string) string {
	return fmt.Sprintf("name: %s\naddress: %s\nhypervisor: none\n", name, address)
}

// witness is the daemon of c.
type witness struct {
	t      *testing.T
	bench  *bench
	folder string
	client *api.Client
}

func (b *bench) newWitness(program string) *witness {
	b.t.Helper()
	w := &witness{t: b.t, bench: b, folder: filepath.Join(b.dir, "c")}
	text := nodeFile("c", addressC) + fmt.Sprintf(
		"witness: true\ndata_dir: %[1]s/data\nrun_dir: %[1]s/run\nhooks_dir: %[1]s/hooks\nhardware_uuid_file: %[1]s/uuid\n",
		w.folder)
	for name, content := range map[string]string{"node.yaml": text, "uuid": "00000000-0000-4000-8000-000000000003\n",
		"clusterd": ""} {
		if err := os.MkdirAll(w.folder, 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(content), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	return w
}

func (w *witness) command(program string, words ...string) *exec.Cmd {
	argv := append(append([]string{}, w.bench.prefix...), append([]string{program}, words...)...)
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), "CLUSTERD_CONFIG="+filepath.Join(w.folder, "node.yaml"), "CLUSTERD_SOCKET=",
		"CLUSTERD_HOST=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return command
}

// join takes c in and starts its daemon, which ends with the test.
func (w *witness) join(program, token string) {
	w.t.Helper()
	join := w.command(program, "join")
	join.Stdin = strings.NewReader(token)
	if out, err := join.CombinedOutput(); err != nil {
		w.t.Fatalf("join c: %v: %s", err, out)
	}
	log, err := os.Create(filepath.Join(w.folder, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	daemon := w.command(program, "run")
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		w.t.Fatal(err)
	}
	_ = log.Close()
	w.t.Cleanup(func() {
		_ = syscall.Kill(-daemon.Process.Pid, syscall.SIGKILL)
		_ = daemon.Wait()
		if text, err := os.ReadFile(filepath.Join(w.folder, "log")); err == nil && w.t.Failed() {
			w.t.Logf("c: clusterd's log: %s", text[max(0, len(text)-8000):])
		}
	})
	w.client, err = api.NewClient(api.Options{Socket: filepath.Join(w.folder, "run", "clusterd.sock")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.client.Close() })
}

// await waits until the cluster is as wanted.
func (w *witness) await(what string, limit time.Duration, wanted func(api.Status) bool) api.Status {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	var status api.Status
	err := fmt.Errorf("it was not asked")
	for ticker := time.NewTicker(100 * time.Millisecond); ; {
		if now, problem := w.client.Status(ctx, false); problem == nil {
			if status, err = now, nil; wanted(status) {
				return status
			}
		} else if ctx.Err() == nil {
			err = problem
		}
		select {
		case <-ctx.Done():
			ticker.Stop()
			w.t.Fatalf("%s: not within %s; last error %v; nodes %+v, services %+v, notes %+v", what, limit, err, status.Nodes,
				status.Services, status.Notes)
		case <-ticker.C:
		}
	}
}

func online(count int) func(api.Status) bool {
	return func(s api.Status) bool {
		ready := 0
		for _, n := range s.Nodes {
			if n.State == string(cluster.NodeOnline) {
				ready++
			}
		}
		return ready == count
	}
}

func startedOn(node string) func(api.Status) bool {
	return func(s api.Status) bool {
		return len(s.Services) == 1 && s.Services[0].StateText == resources.Started.String() && s.Services[0].Owner == node
	}
}

// found makes a cluster of b, a and c, and waits until all are online.
func (b *bench) found(nodeA, nodeB *machine) *witness {
	b.t.Helper()
	program := b.program
	for m, address := range map[*machine]string{nodeA: addressA, nodeB: addressB} {
		m.put("/etc/clusterd/node.yaml", nodeFile(m.name, address))
	}
	nodeB.runs("/dev/null", guestClusterd+" init --name vm")
	nodeB.begin()
	// A token is good for one node.
	token := func() string {
		b.t.Helper()
		deadline := time.Now().Add(longestAnswer)
		for {
			out := ask[struct {
				Code   int
				Output string
			}](nodeB, "run /dev/null "+guestClusterd+" token")
			if out.Code == 0 {
				return out.Output
			}
			if time.Now().After(deadline) {
				b.t.Fatalf("no token: %s", out.Output)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	w := b.newWitness(program)
	w.join(program, token())
	w.await("b and c are online", longestBoot, online(2))
	nodeA.put("/run/token", token())
	nodeA.runs("/run/token", guestClusterd+" join")
	nodeA.begin()
	w.await("a, b and c are online", longestBoot, online(3))
	return w
}

// story lists the events about some subjects, in the order of the log.
func (w *witness) story(subjects ...string) (list []cluster.Event) {
	w.t.Helper()
	page, err := w.client.Events(w.t.Context(), api.EventQuery{Limit: 5000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range page.Events {
		if slices.Contains(subjects, e.Subject) {
			list = append(list, e)
		}
	}
	return list
}

// TestAClusterCutsOffAZombie is the story of TestZombieIsCutOff told by clusterd
// itself, which runs in the machines: a is frozen while its service writes, b cuts
// it off, a wakes up, its first write fails, and its watchdog resets it because it
// finds itself cut off. The service is started on b when that is certain.
func TestAClusterCutsOffAZombie(t *testing.T) {
	b := newBench(t)
	b.program = b.clusterd()
	b.pack(map[string]string{guestClusterd: b.program})
	b.inNetwork("a", "b")
	attach := b.array()
	nodeB := b.launch("b", "role=node watchdog=i6300esb address="+addressB,
		append(attach("b", 1, 2), clusterNode("b", 2)...)...)
	nodeA := b.launch("a", "role=node watchdog=i6300esb address="+addressA,
		append(attach("a", 1, 2), clusterNode("a", 1)...)...)
	nodeB.awaitEvent("ready", longestBoot)
	nodeA.awaitEvent("ready", longestBoot)
	data := ask[[]string](nodeA, "disks")[0]

	w := b.found(nodeA, nodeB)
	// The service comes when both could run it, so that it begins on the better one.
	document := fmt.Sprintf(clusterDocument, clusterWatchdog, clusterLease, data)
	nodeB.put("/run/cluster.yaml", document)
	nodeB.runs("/dev/null", guestClusterd+" config apply /run/cluster.yaml")
	w.await("a and b are guarded", longestFailover, func(api.Status) bool { return w.guarded("a") && w.guarded("b") })
	nodeB.put("/run/cluster.yaml", document+fmt.Sprintf(serviceOfCluster, data))
	nodeB.runs("/dev/null", guestClusterd+" config apply /run/cluster.yaml")
	w.await("service:shop runs on a", longestFailover, startedOn("a"))
	nodeA.awaitEvent("writing", longestAnswer)

	nodeA.freeze()
	frozen := time.Now()
	w.await("a is cut off", longestFailover, func(api.Status) bool { return w.cutOff() })
	cut := time.Since(frozen)
	written := ask[uint64](nodeB, "read "+data+" a")
	nodeA.thaw()
	failed := nodeA.awaitEvent("write-failed", longestAnswer)
	if !strings.HasPrefix(failed, "write-failed 52 ") {
		t.Errorf("the zombie's write failed with %q, not with EBADE", failed)
	}
	if after := ask[uint64](nodeB, "read "+data+" a"); after != written || written == 0 {
		t.Errorf("the zombie wrote: %d before, %d after", written, after)
	}
	reset := nodeA.awaitReset(clusterLease + clusterWatchdog + 30*time.Second)
	w.await("service:shop runs on b", longestFailover, startedOn("b"))
	nodeB.awaitEvent("writing", longestAnswer)
	if started := w.checkOrder(); started.Before(reset) {
		t.Errorf("a was reset at %s, and the service was started on b at %s", reset.Format(time.StampMilli),
			started.Format(time.StampMilli))
	}
	if count := ask[uint64](nodeB, "read "+data+" b"); count == 0 {
		t.Error("b does not write")
	}
	t.Logf("figure: cut_off_ms=%d, reset %v after it was frozen", cut.Milliseconds(),
		reset.Sub(frozen).Round(100*time.Millisecond))
}

// guarded reports whether a node has told that its watchdog is armed and its key
// registered.
func (w *witness) guarded(node string) bool {
	return slices.ContainsFunc(w.story(node), func(e cluster.Event) bool {
		return strings.Contains(e.Why.String(), "watchdog resets it") && strings.Contains(e.Why.String(), "registered")
	})
}

// cutOff reports whether the timeline says that a is cut off.
func (w *witness) cutOff() bool {
	return slices.ContainsFunc(w.story("a"), func(e cluster.Event) bool { return e.To == string(cluster.NodeCut) })
}

// checkOrder holds the timeline: what was sent is aborted, the watchdog is waited
// out, and then the service is started elsewhere. It returns the time of that.
func (w *witness) checkOrder() (started time.Time) {
	w.t.Helper()
	var order []string
	for _, e := range w.story("a", "service:shop") {
		w.t.Logf("%s %s %s -> %s on %s: %s", e.At.Format("15:04:05.000"), e.Subject, e.From, e.To, e.Node, e.Why)
		switch {
		case e.Subject == "a" && (e.To == string(cluster.NodeCut) || e.To == string(cluster.NodeFenced)):
			order = append(order, e.To)
			if e.To == string(cluster.NodeCut) && !strings.Contains(e.Why.String(), "aborted") {
				w.t.Errorf("cut off without an abort: %s", e.Why)
			}
		case e.Subject == "service:shop" && e.Node == "b" && e.To == resources.Starting.String():
			order, started = append(order, e.To), e.At
		}
	}
	if want := []string{string(cluster.NodeCut), string(cluster.NodeFenced),
		resources.Starting.String()}; !slices.Equal(order, want) {
		w.t.Errorf("in the order %v, want %v", order, want)
	}
	return started
}
