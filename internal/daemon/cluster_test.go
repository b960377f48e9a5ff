package daemon

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/hostguard"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/quorum/quorumtest"
)

const testPort = 7440

func addressOf(node string) string { return fmt.Sprintf("%s:%d", node, testPort) }

// Callers of the tests' requests.
var (
	rootUser = server.Caller{Name: "root", Kind: pki.KindClient, Role: pki.RoleAdmin, Socket: true, Reserved: true}
	anybody  = server.Caller{Name: "somebody", Kind: pki.KindClient, Role: pki.RoleViewer, Socket: true}
	viewer   = server.Caller{Name: "viewer eve", Kind: pki.KindClient, Role: pki.RoleViewer}
	operator = server.Caller{Name: "operator bob", Kind: pki.KindClient, Role: pki.RoleOperator}
	joiner   = server.Caller{Kind: pki.KindJoiner}
)

// site is three hosts with whole daemons, on a network in memory.
type site struct {
	t       *testing.T
	world   *world
	network *quorumtest.Network
	members map[string]*member
	onDisk  bool
	// secured: the streams between the nodes carry TLS.
	secured bool
	began   time.Time
	// asks: the daemons ask each other by their interfaces, where their links let them.
	asks bool
	// books are what forwarders are told by, where a test has some.
	books map[string]*roster.Book
	// pagers stand in for programs and addresses of alerts, one for each daemon that
	// starts; nil where none are declared.
	pagers func(node string) teller
	// guards are the hosts' own watchdogs, and levels what the document says of them.
	guards func(node string) hostguard.Host
	levels string
	// logs gets all that the daemons log; nil where nobody reads it.
	logs io.Writer

	mu  sync.Mutex
	cut map[[2]string]bool
	// jump is by how much a host stood still.
	jump map[string]time.Duration
}

func (s *site) jumpOf(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jump[name]
}

type member struct {
	node       nodefile.Node
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
	inBubbleOf(t, func(s *site) { s.onDisk = onDisk }, test)
}

// inSecuredBubble is a bubble whose logs are on disk and whose nodes authenticate each other.
func inSecuredBubble(t *testing.T, test func(s *site)) {
	t.Helper()
	inBubbleOf(t, func(s *site) { s.onDisk, s.secured = true, true }, test)
}

func inBubbleOf(t *testing.T, prepare, test func(s *site)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, threeNodes)
		prepare(s)
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
	s := &site{t: t, world: newWorld(names), network: quorumtest.New(), began: time.Now(), members: map[string]*member{},
		cut: map[[2]string]bool{}, jump: map[string]time.Duration{}}
	s.world.cutPower = s.losePower
	s.world.reach = s.reach
	for _, name := range names {
		folder := filepath.Join(dir, name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		node := nodefile.Node{Name: name, Address: name, Port: testPort, HeartbeatPort: testPort, DataDir: folder,
			RunDir:     folder,
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
	if err := membership.Found(s.members["node1"].node, "test"); err != nil {
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
		return len(status.Nodes) == 3 &&
			!slices.ContainsFunc(status.Nodes, func(n api.Node) bool { return n.State != "online" || !n.Voter })
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
	m := membership.Membership{Cluster: reply.Cluster, ID: reply.ClusterID, Node: name, Members: reply.Members}
	if err := membership.Folder(node.DataDir).SaveMembership(m, identity); err != nil {
		s.t.Fatal(err)
	}
	told := membership.SavedKeys{NodeKeys: reply.Keys, Cluster: reply.ClusterID}
	if err := membership.Folder(node.DataDir).Write(membership.KeysFile, told); err != nil {
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
	request, err := membership.JoinRequest(node, Version, pki.Token{ID: id}, key)
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
	d := s.build(name)
	ctx, stop := context.WithCancel(context.Background())
	m.stop, m.ended = stop, make(chan error, 1)
	// Asked of the daemon that is there by then: one may start again by itself.
	m.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.current(name).newServer().Handler().ServeHTTP(w, r)
	})
	go func() { m.ended <- s.runAgain(ctx, name, d) }()
	synctest.Wait()
}

// build makes a node's daemon, and a hypervisor's agent for it.
func (s *site) build(name string) *Daemon {
	m := s.members[name]
	m.hypervisor = newHypervisor(s.world, name)
	var logger *slog.Logger
	if s.logs != nil {
		logger = slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})).With("at", name)
	} else if testing.Verbose() && os.Getenv("CLUSTERD_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("at", name)
	} else {
		logger = slog.New(slog.DiscardHandler)
	}
	var guard hostguard.Host
	if s.guards != nil {
		guard = s.guards(name)
	}
	d, err := New(Options{
		Node: m.node, Folder: membership.Folder(m.node.DataDir), Logger: logger,
		Host: Host{
			Agent: m.hypervisor, Drivers: map[string]fence.Driver{"ipmi": bmc{s.world, name}},
			ProbeKernel: s.world.probeKernel(name), Guard: guard, Addresses: s.books[name],
			Uptime: func() time.Duration { return time.Since(s.began) + s.jumpOf(name) },
		},
		Links: &Links{Streams: s.network.Listen(addressOf(m.node.Address)),
			Packets: s.network.ListenPackets(addressOf(m.node.Address)), LogInMemory: !s.onDisk, Secured: s.secured},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.asks {
		d.options.Links.Ask = s.askFrom(name)
	}
	if s.pagers != nil {
		d.teller = s.pagers(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.daemon = d
	return d
}

// current is the daemon that runs on a node.
func (s *site) current(name string) *Daemon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[name].daemon
}

// runAgain runs a daemon, and the next one when it wants to start again.
func (s *site) runAgain(ctx context.Context, name string, d *Daemon) error {
	for {
		err := d.Run(ctx)
		if !errors.Is(err, ErrAgain) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		d = s.build(name)
	}
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

// losePower is the end of a host: nothing of it answers.
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
