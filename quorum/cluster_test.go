package quorum

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/quorum/quorumtest"
)

// register is the Machine of these tests: a map of registers, and the history of entries for
// comparison.
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
	network *quorumtest.Network
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
	c := &cluster{t: t, network: quorumtest.New()}
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
	wire := NewWire(c.network.Listen(id), nil)
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
