package gossip

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/clusterd/clusterd/quorum/internal/librarylog"
)

// MetaBytesMax is the largest metadata a node can gossip about itself.
const MetaBytesMax = memberlist.MetaMaxSize

// Member is a node as gossip has it.
type Member struct {
	ID      string
	Address string
	Meta    []byte
}

// Options say how this node gossips. ID, Cluster, Listen and Keys are required.
type Options struct {
	ID string
	// Cluster keeps clusters on one network apart.
	Cluster string
	// Listen is a literal host:port, for UDP and TCP; port 0 takes a free one.
	Listen string
	// Advertise is what others are told to use, Listen if empty.
	Advertise string
	// Keys encrypt all of it: 16, 24 or 32 bytes each. The first one encrypts, all decrypt.
	Keys [][]byte
	// Meta is what this node says of itself at first.
	Meta   []byte
	Logger *slog.Logger
	// Changed, if set, is told of members that come and go, as a hint: gossip calls living nodes
	// dead when a member comes back from a pause. It is called from one goroutine at a time and
	// must not block.
	Changed func(member Member, alive bool)
	// RejoinInterval is how often members that should be there and are not are asked to join again;
	// 3 s if zero.
	RejoinInterval time.Duration
	// transport carries the packets where they are made up, for tests; nil opens real sockets.
	transport memberlist.NodeAwareTransport
}

// Gossip finds members and spreads a little metadata. It survives the loss of quorum, and
// decides nothing.
type Gossip struct {
	options Options
	list    *memberlist.Memberlist
	ring    *memberlist.Keyring
	closing chan struct{}
	wake    chan struct{} // there are new seeds
	running sync.WaitGroup

	mu    sync.Mutex
	meta  []byte
	seeds []string
	next  int // where the next round of rejoining begins
}

const (
	seedsMax          = 256
	seedsPerRound     = 3
	metaUpdateTimeout = 2 * time.Second
	leaveTimeout      = time.Second
)

// Open starts to gossip; SetSeeds says with whom.
func Open(options Options) (*Gossip, error) {
	options.RejoinInterval = cmp.Or(options.RejoinInterval, 3*time.Second)
	options.Advertise = cmp.Or(options.Advertise, options.Listen)
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.ID == "" || options.Cluster == "" || len(options.Keys) == 0 {
		return nil, errors.New("gossip needs an id, the cluster's name and a key")
	}
	if len(options.Meta) > MetaBytesMax {
		return nil, fmt.Errorf("the metadata has %d bytes, %d at most can be gossiped", len(options.Meta), MetaBytesMax)
	}
	g := &Gossip{options: options, meta: bytes.Clone(options.Meta), closing: make(chan struct{}),
		wake: make(chan struct{}, 1)}
	config, err := g.config()
	if err != nil {
		return nil, err
	}
	if g.list, err = memberlist.Create(config); err != nil {
		return nil, fmt.Errorf("gossip as node %s on %s: %w", options.ID, options.Listen, err)
	}
	g.running.Go(g.rejoin)
	return g, nil
}

// config has the "mid" timings: a lost member is noticed in about 3 s, and hosts under load are
// not called dead.
func (g *Gossip) config() (*memberlist.Config, error) {
	listen, err := netip.ParseAddrPort(g.options.Listen)
	if err != nil {
		return nil, fmt.Errorf("the gossip address %q: %w", g.options.Listen, err)
	}
	advertise, err := netip.ParseAddrPort(g.options.Advertise)
	if err != nil {
		return nil, fmt.Errorf("the gossip address %q: %w", g.options.Advertise, err)
	}
	if g.ring, err = memberlist.NewKeyring(g.options.Keys, g.options.Keys[0]); err != nil {
		return nil, fmt.Errorf("the gossip key: %w", err)
	}
	config := memberlist.DefaultLANConfig()
	config.Name, config.Label = g.options.ID, g.options.Cluster
	config.BindAddr, config.BindPort = listen.Addr().String(), int(listen.Port())
	config.AdvertisePort = int(advertise.Port())
	if !advertise.Addr().IsUnspecified() {
		config.AdvertiseAddr = advertise.Addr().String()
	}
	config.ProbeInterval, config.ProbeTimeout = time.Second, 300*time.Millisecond
	config.SuspicionMult, config.SuspicionMaxTimeoutMult = 3, 4
	config.GossipInterval = 500 * time.Millisecond
	config.TCPTimeout = 2 * time.Second // with 1 s, joins failed under load
	// A daemon that restarts on another port or address is the same node; quorum's own rules say
	// who is a member.
	config.DeadNodeReclaimTime = time.Second
	config.Keyring = g.ring
	config.Delegate = delegate{g}
	if g.options.Changed != nil {
		config.Events = events{g}
	}
	config.Logger = librarylog.New(g.options.Logger, "memberlist").StandardLogger(nil)
	inner := g.options.transport
	if inner == nil {
		if inner, err = openTransport(config); err != nil {
			return nil, fmt.Errorf("gossip as node %s on %s: %w", g.options.ID, g.options.Listen, err)
		}
	}
	header, err := memberlist.AddLabelHeaderToPacket(nil, config.Label)
	if err != nil {
		return nil, fmt.Errorf("the cluster's name in gossip: %w", err)
	}
	config.Transport = guard(inner, config.Label, header)
	return config, nil
}

// freePortTries is how often a port is looked for that is free for UDP and TCP alike.
const freePortTries = 10

// openTransport opens the sockets as memberlist itself does where it is given none.
func openTransport(config *memberlist.Config) (*memberlist.NetTransport, error) {
	wanted := &memberlist.NetTransportConfig{
		BindAddrs: []string{config.BindAddr}, BindPort: config.BindPort, Logger: config.Logger,
	}
	for try := 1; ; try++ {
		opened, err := memberlist.NewNetTransport(wanted)
		if err == nil && config.BindPort == 0 {
			config.BindPort = opened.GetAutoBindPort()
			config.AdvertisePort = config.BindPort
		}
		if err == nil || config.BindPort != 0 || try == freePortTries {
			return opened, err
		}
	}
}

// Close tells the others that this node leaves, as far as that goes within a second, and stops.
func (g *Gossip) Close() error {
	close(g.closing)
	g.running.Wait()
	if err := g.list.Leave(leaveTimeout); err != nil {
		g.options.Logger.Debug("the others were not told that this node leaves", "error", err)
	}
	return g.list.Shutdown()
}

// Address is where this node gossips, with the port it got.
func (g *Gossip) Address() string { return g.list.LocalNode().Address() }

// Members returns the nodes that gossip holds to be alive, this one included, by ID.
func (g *Gossip) Members() []Member {
	var members []Member
	for _, node := range g.list.Members() {
		members = append(members, memberOf(node))
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return members
}

// SetSeeds replaces the gossip addresses of the nodes that should be members. Those that are
// missing are asked to join again every few seconds forever: left alone, a partition of more
// than 30 s never heals.
func (g *Gossip) SetSeeds(addresses []string) error {
	if len(addresses) > seedsMax {
		return fmt.Errorf("%d seeds are more than the %d that are possible", len(addresses), seedsMax)
	}
	g.mu.Lock()
	g.seeds = slices.Clone(addresses)
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	return nil
}

// SetMeta replaces what this node says of itself.
func (g *Gossip) SetMeta(meta []byte) error {
	if len(meta) > MetaBytesMax {
		return fmt.Errorf("the metadata has %d bytes, %d at most can be gossiped", len(meta), MetaBytesMax)
	}
	g.mu.Lock()
	g.meta = bytes.Clone(meta)
	g.mu.Unlock()
	return g.list.UpdateNode(metaUpdateTimeout)
}

// SetKeys replaces the keys while gossip goes on. To change a key without losing a member, give
// all nodes the new one as second, then as first, and then alone.
func (g *Gossip) SetKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("gossip needs a key")
	}
	for _, key := range keys {
		if err := g.ring.AddKey(key); err != nil {
			return fmt.Errorf("the gossip key: %w", err)
		}
	}
	if err := g.ring.UseKey(keys[0]); err != nil {
		return fmt.Errorf("the gossip key: %w", err)
	}
	for _, old := range slices.Clone(g.ring.GetKeys()) {
		if !slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(key, old) }) {
			if err := g.ring.RemoveKey(old); err != nil {
				return fmt.Errorf("the old gossip key: %w", err)
			}
		}
	}
	return nil
}

func (g *Gossip) rejoin() {
	ticker := time.NewTicker(g.options.RejoinInterval)
	defer ticker.Stop()
	for {
		if missing := g.missing(); len(missing) > 0 {
			if _, err := g.list.Join(missing); err != nil {
				g.options.Logger.Debug("a member did not join", "error", err)
			}
		}
		select {
		case <-ticker.C:
		case <-g.wake:
		case <-g.closing:
			return
		}
	}
}

// missing are a few of the seeds that are no members now, others in each round, because each may
// take its whole timeout.
func (g *Gossip) missing() []string {
	present := map[string]bool{g.Address(): true}
	for _, member := range g.Members() {
		present[member.Address] = true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var missing []string
	for range g.seeds {
		g.next = (g.next + 1) % len(g.seeds)
		if seed := g.seeds[g.next]; !present[seed] && len(missing) < seedsPerRound {
			missing = append(missing, seed)
		}
	}
	return missing
}

func memberOf(node *memberlist.Node) Member {
	return Member{ID: node.Name, Address: node.Address(), Meta: bytes.Clone(node.Meta)}
}

// delegate gives memberlist this node's metadata, and nothing else.
type delegate struct{ gossip *Gossip }

func (d delegate) NodeMeta(limit int) []byte {
	d.gossip.mu.Lock()
	defer d.gossip.mu.Unlock()
	return d.gossip.meta
}
func (delegate) NotifyMsg([]byte)                           {}
func (delegate) GetBroadcasts(overhead, limit int) [][]byte { return nil }
func (delegate) LocalState(join bool) []byte                { return nil }
func (delegate) MergeRemoteState(state []byte, join bool)   {}

// events passes hints on. Memberlist calls it under its lock, one at a time.
type events struct{ gossip *Gossip }

func (e events) NotifyJoin(node *memberlist.Node) {
	e.gossip.options.Changed(memberOf(node), true)
}
func (e events) NotifyLeave(node *memberlist.Node) {
	e.gossip.options.Changed(memberOf(node), false)
}
func (e events) NotifyUpdate(node *memberlist.Node) {
	e.gossip.options.Changed(memberOf(node), true)
}
