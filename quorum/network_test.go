package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// network is the whole outside world of a test: streams of net.Pipe and packets between addresses, and links to cut.
type network struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	pipes     []pipe
	cut       map[[2]string]bool
}

type pipe struct {
	from, to string
	ends     [2]net.Conn
}

func newNetwork() *network {
	return &network{listeners: map[string]*pipeListener{}, cut: map[[2]string]bool{}}
}

type pipeListener struct {
	network  *network
	address  string
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (n *network) listen(address string) *pipeListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	listener := &pipeListener{network: n, address: address, accepted: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = listener
	return listener
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return nodeAddress(l.address) }

func (l *pipeListener) Dial(ctx context.Context, address string) (net.Conn, error) {
	l.network.mu.Lock()
	target := l.network.listeners[address]
	blocked := l.network.cut[[2]string{l.address, address}]
	l.network.mu.Unlock()
	if blocked {
		<-ctx.Done() // a cut link says nothing at all
		return nil, ctx.Err()
	}
	if target == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := newFrozenConns()
	select {
	case target.accepted <- far:
	case <-target.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.network.mu.Lock()
	defer l.network.mu.Unlock()
	l.network.pipes = append(l.network.pipes, pipe{l.address, address, [2]net.Conn{near, far}})
	return near, nil
}

// freeze makes an address accept and say nothing more, as a host that lost power looks to those connected to it.
func (n *network) freeze(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pipes {
		for i, end := range []string{p.from, p.to} {
			if end == address {
				p.ends[i].(*frozenConn).freeze()
			}
		}
	}
	for other := range n.listeners {
		n.cut[[2]string{address, other}], n.cut[[2]string{other, address}] = true, true
	}
}

// isolate cuts or mends all links of one address. A cut connection is closed at both ends: its bytes are lost either way.
func (n *network) isolate(address string, cut bool) {
	n.mu.Lock()
	others := slices.Collect(maps.Keys(n.listeners))
	n.mu.Unlock()
	for _, other := range others {
		if other != address {
			n.link(address, other, cut)
		}
	}
}

func (n *network) link(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
	if !cut {
		return
	}
	for _, p := range n.pipes {
		if p.from == a && p.to == b || p.from == b && p.to == a {
			p.ends[0].Close()
			p.ends[1].Close()
		}
	}
}

func (n *network) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// frozenConn is one end of a pipe that can be stopped: it swallows what comes in and sends nothing.
type frozenConn struct {
	net.Conn
	frozen chan struct{}
	closed chan struct{}
	once   sync.Once
	stop   sync.Once
}

func newFrozenConns() (near, far *frozenConn) {
	a, b := net.Pipe()
	wrap := func(c net.Conn) *frozenConn {
		return &frozenConn{Conn: c, frozen: make(chan struct{}), closed: make(chan struct{})}
	}
	return wrap(a), wrap(b)
}

func (c *frozenConn) freeze() { c.once.Do(func() { close(c.frozen) }) }

func (c *frozenConn) Read(buffer []byte) (int, error) {
	for {
		n, err := c.Conn.Read(buffer)
		select {
		case <-c.frozen:
			if err != nil {
				return 0, err
			}
		default:
			return n, err
		}
	}
}

func (c *frozenConn) Write(bytes []byte) (int, error) {
	select {
	case <-c.frozen:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Write(bytes)
	}
}

func (c *frozenConn) Close() error {
	c.stop.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// register is the Machine of these tests: a map of registers, and the history of entries for comparison.
type register struct {
	mu     sync.Mutex
	values map[string]string
	count  int
	last   Entry
}

type registerEntry struct{ Key, Value string }

func newRegister() *register { return &register{values: map[string]string{}} }

func (r *register) Apply(entry Entry) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var write registerEntry
	if err := json.Unmarshal(entry.Data, &write); err != nil {
		return err
	}
	before := r.values[write.Key]
	r.values[write.Key] = write.Value
	r.count++
	r.last = entry
	return before
}

func (r *register) Snapshot() func(io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := maps.Clone(r.values)
	return func(w io.Writer) error { return json.NewEncoder(w).Encode(values) }
}

func (r *register) Restore(source io.Reader) error {
	values := map[string]string{}
	if err := json.NewDecoder(source).Decode(&values); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = values
	return nil
}

func (r *register) get(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[key]
}

func (r *register) applied() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func writeOf(key, value string) []byte {
	data, err := json.Marshal(registerEntry{key, value})
	if err != nil {
		panic(err)
	}
	return data
}

// cluster is some nodes on one network.
type cluster struct {
	t       *testing.T
	network *network
	nodes   []*node
}

type node struct {
	id      string
	wire    *Wire
	log     *Log
	machine *register
}

func newCluster(t *testing.T, size int, adjust func(*Options)) *cluster {
	t.Helper()
	c := &cluster{t: t, network: newNetwork()}
	var members []Member
	for i := range size {
		id := fmt.Sprintf("node%d", i+1)
		members = append(members, Member{ID: id, Address: id, Voter: true})
	}
	for _, member := range members {
		c.add(member.ID, members, adjust)
	}
	return c
}

func (c *cluster) add(id string, bootstrap []Member, adjust func(*Options)) *node {
	c.t.Helper()
	wire := NewWire(c.network.listen(id), nil)
	options := Options{ID: id, Address: id, Wire: wire, Bootstrap: bootstrap}
	if adjust != nil {
		adjust(&options)
	}
	machine := newRegister()
	log, err := Open(options, machine)
	if err != nil {
		c.t.Fatal(err)
	}
	added := &node{id, wire, log, machine}
	c.nodes = append(c.nodes, added)
	return added
}

func (c *cluster) close() {
	c.t.Helper()
	for _, n := range c.nodes {
		n.close(c.t)
	}
}

func (n *node) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(n.log.Close(), n.wire.Close()); err != nil {
		t.Error(n.id, err)
	}
}

// leader waits in the test's time for a leader among the nodes that are not excluded.
func (c *cluster) leader(except ...*node) *node {
	c.t.Helper()
	for range 2000 {
		for _, n := range c.nodes {
			if !slices.Contains(except, n) && n.log.Role().IsLeader {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("no leader after 20 s")
	return nil
}

func (c *cluster) follower(except ...*node) *node {
	c.t.Helper()
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader && !slices.Contains(except, n) {
			return n
		}
	}
	c.t.Fatal("no follower")
	return nil
}

func (n *node) mustPropose(t *testing.T, key, value string) Committed {
	t.Helper()
	committed, err := n.log.Propose(t.Context(), writeOf(key, value))
	if err != nil {
		t.Fatalf("propose %s=%s on %s: %v", key, value, n.id, err)
	}
	return committed
}

// until waits in the test's time for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for range 6000 {
		if condition() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("not within 30 s: %s", what)
}
