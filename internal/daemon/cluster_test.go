package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum/quorumtest"
)

const testPort = 7440

func addressOf(node string) string { return fmt.Sprintf("%s:%d", node, testPort) }

// Callers of the tests' requests.
var (
	rootUser = caller{Name: "root", kind: pki.KindClient, admin: true, socket: true}
	anybody  = caller{Name: "somebody", kind: pki.KindClient, socket: true}
	viewer   = caller{Name: "viewer eve", kind: pki.KindClient}
	joiner   = caller{kind: pki.KindJoiner}
)

// site is three hosts with whole daemons, on a network in memory.
type site struct {
	t       *testing.T
	world   *world
	network *quorumtest.Network
	members map[string]*member
	onDisk  bool

	mu  sync.Mutex
	cut map[[2]string]bool
}

type member struct {
	node       config.Node
	daemon     *Daemon
	hypervisor *hypervisor
	handler    http.Handler
	stop       context.CancelFunc
	ended      chan error
}

var threeNodes = []string{"node1", "node2", "node3"}

// inBubble runs a test in virtual time with a cluster that is up. Its end
// checks that no law was broken and that no goroutine is left.
func inBubble(t *testing.T, test func(s *site)) {
	t.Helper()
	inBubbleWith(t, false, test)
}

func inBubbleWith(t *testing.T, onDisk bool, test func(s *site)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, threeNodes)
		s.onDisk = onDisk
		defer s.close()
		s.found()
		test(s)
		for _, law := range s.world.lawsBroken() {
			t.Error("a law was broken:", law)
		}
	})
}

func newSite(t *testing.T, dir string, names []string) *site {
	t.Helper()
	s := &site{t: t, world: newWorld(names), network: quorumtest.New(), members: map[string]*member{}, cut: map[[2]string]bool{}}
	s.world.cutPower = s.losePower
	s.world.reach = s.reach
	for _, name := range names {
		folder := filepath.Join(dir, name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		node := config.Node{Name: name, Address: name, Port: testPort, HeartbeatPort: testPort, DataDir: folder, RunDir: folder,
			BootIDFile: filepath.Join(folder, "boot"), HardwareUUIDFile: filepath.Join(folder, "hardware")}
		s.members[name] = &member{node: node}
		s.write(node.HardwareUUIDFile, hardwareOf(name))
		s.write(node.BootIDFile, name+"-boot-0")
	}
	return s
}

func (s *site) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// found makes node1 the founder and lets the others join with tokens, by the
// same handlers that a real join uses.
func (s *site) found() {
	s.t.Helper()
	if err := Found(s.members["node1"].node, "test"); err != nil {
		s.t.Fatal(err)
	}
	s.start("node1")
	s.until("node1 is online", func() bool { return s.stateOf("node1", "node1") == "online" })
	for _, name := range []string{"node2", "node3"} {
		if status, failure := s.join("node1", name, s.token("node1")); status != http.StatusOK {
			s.t.Fatalf("%s cannot join: %+v", name, failure)
		}
		s.start(name)
	}
	s.until("all are online voters", func() bool {
		status := s.status(s.leader())
		return len(status.Nodes) == 3 && !slices.ContainsFunc(status.Nodes, func(n api.Node) bool { return n.State != "online" || !n.Voter })
	})
}

func (s *site) token(at string) pki.Token {
	s.t.Helper()
	return s.tokenFor(at, pki.TokenLife)
}

func (s *site) tokenFor(at string, validity time.Duration) pki.Token {
	s.t.Helper()
	var reply api.TokenReply
	s.must(at, rootUser, "POST", api.PathTokens, api.TokenRequest{Validity: validity}, &reply)
	token, err := pki.ParseToken(reply.Text)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// join brings a machine in and keeps what it gets in its folder.
func (s *site) join(at, name string, token pki.Token) (int, api.Failure) {
	s.t.Helper()
	node := s.members[name].node
	request := s.joinBody(name, token.ID, token.Secret())
	status, body := s.ask(at, joiner, "POST", api.PathJoin, request)
	if status != http.StatusOK {
		return status, decoded[api.Failure](s.t, body)
	}
	reply := decoded[api.JoinReply](s.t, body)
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		s.t.Fatal(err)
	}
	identity, err := pki.NewIdentity(key, []byte(reply.Certificate))
	if err != nil {
		s.t.Fatal(err)
	}
	m := Membership{Cluster: reply.Cluster, ID: reply.ClusterID, Node: name, Members: reply.Members}
	if err := Folder(node.DataDir).SaveMembership(m, identity, reply.GossipKey); err != nil {
		s.t.Fatal(err)
	}
	return status, api.Failure{}
}

// joinBody is what a machine sends that shows a token.
func (s *site) joinBody(name, id string, secret []byte) api.JoinRequest {
	s.t.Helper()
	node := s.members[name].node
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := joinRequest(node, pki.Token{ID: id}, key)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Secret = base64.RawURLEncoding.EncodeToString(secret)
	return request
}

// start runs the daemon of a node.
func (s *site) start(name string) {
	s.t.Helper()
	m := s.members[name]
	m.hypervisor = newHypervisor(s.world, name)
	var logger *slog.Logger
	if testing.Verbose() && os.Getenv("CLUSTERD_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("at", name)
	} else {
		logger = slog.New(slog.DiscardHandler)
	}
	d, err := New(Options{
		Node: m.node, Folder: Folder(m.node.DataDir), Agent: m.hypervisor, Drivers: map[string]fence.Driver{"ipmi": bmc{s.world, name}},
		Logger: logger, ProbeKernel: s.world.probeKernel(name),
		Links: &Links{Streams: s.network.Listen(addressOf(name)), Packets: s.network.ListenPackets(addressOf(name)), LogInMemory: !s.onDisk},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m.daemon, m.stop, m.ended = d, stop, make(chan error, 1)
	m.handler = (&server{daemon: d}).routes()
	go func() { m.ended <- d.Run(ctx) }()
	synctest.Wait()
}

// kill ends a daemon without a farewell; its guests run on.
func (s *site) kill(name string) {
	s.t.Helper()
	m := s.members[name]
	if m.daemon == nil {
		return
	}
	m.stop()
	if err := <-m.ended; err != nil {
		s.t.Errorf("the daemon of %s ended by itself: %v", name, err)
	}
	m.daemon = nil
}

// losePower is the end of a host: nothing of it answers any more.
func (s *site) losePower(name string) {
	s.network.Freeze(addressOf(name))
	if m := s.members[name]; m.daemon != nil {
		m.stop()
	}
}

// boot gives a host its power back and starts its daemon.
func (s *site) boot(name string) {
	s.t.Helper()
	s.kill(name)
	s.world.powerOn(name)
	s.write(s.members[name].node.BootIDFile, fmt.Sprintf("%s-boot-%d", name, s.world.hosts[name].boots))
	s.network.Mend()
	s.start(name)
}

// isolate cuts a node off from all others; its host and guests run on.
func (s *site) isolate(name string) {
	for _, other := range threeNodes {
		if other != name {
			s.cutLink(name, other)
		}
	}
}

func (s *site) cutLink(a, b string) {
	s.mu.Lock()
	s.cut[[2]string{a, b}], s.cut[[2]string{b, a}] = true, true
	s.mu.Unlock()
	s.network.Cut(addressOf(a), addressOf(b))
}

// mendLink mends one link and leaves the others broken.
func (s *site) mendLink(a, b string) {
	s.mu.Lock()
	delete(s.cut, [2]string{a, b})
	delete(s.cut, [2]string{b, a})
	left := slices.Collect(maps.Keys(s.cut))
	s.mu.Unlock()
	s.network.Mend()
	for _, link := range left {
		s.network.Cut(addressOf(link[0]), addressOf(link[1]))
	}
}

func (s *site) mend() {
	s.mu.Lock()
	clear(s.cut)
	s.mu.Unlock()
	s.network.Mend()
}

func (s *site) reach(from, to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cut[[2]string{from, to}]
}

func (s *site) close() {
	for _, name := range threeNodes {
		s.kill(name)
	}
	time.Sleep(5 * time.Second) // for calls that outlived their callers
}

// ask sends a request to a node's handler.
func (s *site) ask(at string, who caller, method, path string, body any) (int, []byte) {
	s.t.Helper()
	return s.askFor(context.Background(), at, who, method, path, body)
}

func (s *site) askFor(ctx context.Context, at string, who caller, method, path string, body any) (int, []byte) {
	return askHandler(ctx, s.members[at].handler, who, method, path, body)
}

func askHandler(ctx context.Context, handler http.Handler, who caller, method, path string, body any) (int, []byte) {
	content, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	request := httptest.NewRequestWithContext(context.WithValue(ctx, callerKey{}, who), method, path, bytes.NewReader(content))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.Bytes()
}

func (s *site) must(at string, who caller, method, path string, body, into any) {
	s.t.Helper()
	status, text := s.ask(at, who, method, path, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s at %s: %d %s", method, path, at, status, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatal(err)
	}
}

func decoded[T any](t *testing.T, text []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func (s *site) status(at string) api.Status {
	s.t.Helper()
	var status api.Status
	s.must(at, anybody, "GET", api.PathStatus, nil, &status)
	return status
}

func (s *site) stateOf(at, node string) string {
	s.t.Helper()
	for _, n := range s.status(at).Nodes {
		if n.Name == node {
			return n.State
		}
	}
	return ""
}

func (s *site) service(at, name string) cluster.Service {
	service, _ := s.members[at].daemon.replica.Root().Services.Get(name)
	return service
}

// leader waits for a node that leads.
func (s *site) leader() string {
	s.t.Helper()
	found := ""
	s.until("somebody leads", func() bool {
		for _, name := range threeNodes {
			if d := s.members[name].daemon; d != nil && !s.ended(name) && s.world.powered(name) && d.role.Load().leading {
				found = name
			}
		}
		return found != ""
	})
	return found
}

// ended tells whether a daemon stopped by itself.
func (s *site) ended(name string) bool { return len(s.members[name].ended) > 0 }

func (s *site) followers() []string {
	s.t.Helper()
	leader := s.leader()
	return slices.DeleteFunc(slices.Clone(threeNodes), func(name string) bool { return name == leader })
}

func (w *world) powered(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hosts[name].on
}

// until waits in virtual time and returns how long it took.
func (s *site) until(what string, condition func() bool) time.Duration {
	s.t.Helper()
	took := s.waitFor(condition)
	if took > 2*time.Minute {
		s.t.Fatalf("not within two minutes: %s", what)
	}
	return took
}

// waitFor waits for a condition, and returns more than two minutes if it does
// not come within them.
func (s *site) waitFor(condition func() bool) time.Duration {
	began := time.Now()
	for !condition() && time.Since(began) <= 2*time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// documentOf declares services, each preferring the node after its name.
func documentOf(services map[string]string) string {
	var b strings.Builder
	b.WriteString("cluster: test\nnodes:\n")
	for i := range threeNodes {
		fmt.Fprintf(&b, "  node%d: {fence: [[bmc%d]]}\n", i+1, i+1)
	}
	b.WriteString("devices:\n")
	for i, name := range threeNodes {
		fmt.Fprintf(&b, "  bmc%d: {driver: ipmi, address: %s, username: admin, password: %s}\n", i+1, name, testPassword)
	}
	b.WriteString("domains:\n")
	for _, name := range threeNodes {
		fmt.Fprintf(&b, "  on-%s: {ordered: true, nofailback: true, members: {%s: 1}}\n", name, name)
	}
	b.WriteString("services:\n")
	for i, name := range sortedNames(services) {
		fmt.Fprintf(&b, "  %s:\n    domain: on-%s\n    definition: |\n      <domain type='kvm'><name>%s</name><uuid>%s</uuid></domain>\n", name, services[name], name[3:], uuidOf(i))
	}
	return b.String()
}

const testPassword = "hunter22-of-the-bmc"

func uuidOf(i int) string { return fmt.Sprintf("6f9619ff-8b86-4011-b42d-00cf4fc9640%d", i) }

// declare applies a document and waits until its services run.
func (s *site) declare(services map[string]string) {
	s.t.Helper()
	leader := s.leader()
	var reply api.ConfigReply
	s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status(leader).ConfigVersion, Text: documentOf(services)}, &reply)
	s.until("all services run", func() bool {
		for i := range len(services) {
			if len(s.world.runsOn(uuidOf(i))) != 1 {
				return false
			}
		}
		return !slices.ContainsFunc(s.status(leader).Services, func(v api.Service) bool { return v.StateText != "started" })
	})
}
