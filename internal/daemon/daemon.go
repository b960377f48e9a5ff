package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/network"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/adoption"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/ears"
	"github.com/clusterd/clusterd/internal/executor"
	"github.com/clusterd/clusterd/internal/fencing"
	"github.com/clusterd/clusterd/internal/homes"
	"github.com/clusterd/clusterd/internal/hostguard"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/admission"
	"github.com/clusterd/clusterd/internal/membership/comparing"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/membership/ownkeys"
	"github.com/clusterd/clusterd/internal/membership/pair"
	"github.com/clusterd/clusterd/internal/membership/returning"
	"github.com/clusterd/clusterd/internal/membership/roll"
	"github.com/clusterd/clusterd/internal/membership/vouching"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/networks"
	"github.com/clusterd/clusterd/internal/pace"
	"github.com/clusterd/clusterd/internal/passage"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/recorder"
	"github.com/clusterd/clusterd/internal/register"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/internal/vault"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/internal/web"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/quorum/gossip"
)

// Version is what this build calls itself; set at link time.
var Version = "devel"

// Options are what a daemon is made from.
type Options struct {
	Node   nodefile.Node
	Folder membership.Folder
	Logger *slog.Logger
	Host
	// Links replace the sockets where the network is simulated; nil opens real ones.
	Links *Links
}

// Host is what a daemon reaches of the machine that it runs on, or of one that is simulated. What a
// machine does not have is left out.
type Host struct {
	// Agent drives what runs here. The daemon closes it.
	Agent agents.Agent
	// Drivers are the fence drivers by the word of the document.
	Drivers map[string]fence.Driver
	// ProbeKernel replaces the look at another host's kernel where hosts are
	// simulated; nil asks the real one.
	ProbeKernel func(ctx context.Context, peer quorum.Peer) (quorum.Answer, string)
	// Doctor adds findings about this host.
	Doctor func(ctx context.Context, root *cluster.State) []Finding
	// Importer takes existing VMs in; nil where the hypervisor cannot.
	Importer adoption.Importer
	// Managed is told the UUIDs of the managed VMs whenever they change, for the
	// doorkeeper.
	Managed func(uuids []string) error
	// Addresses is what the agent's tunnel reads the other nodes' addresses from.
	Addresses *roster.Book
	// Guard reaches this host's own watchdog and its keys on shared storage; nil
	// where there are none, and then no level rests on them.
	Guard hostguard.Host
	// Networks makes networks of guests on this host; nil where none are to be made.
	Networks network.Driver
	// Capacity measures what this host has for services; nil where it has nothing to measure.
	Capacity func() (cluster.Capacity, error)
	// Uptime is how long this host has been up, all time counted, where the clock is
	// simulated; nil asks the kernel.
	Uptime func() time.Duration
}

// Daemon is one node's shell.
type Daemon struct {
	options    Options
	name       string
	logger     *slog.Logger
	membership membership.Membership
	address    string
	boot       string
	hardware   string
	vault      *vault.Vault
	// gossip and its keys are keepLinks' own.
	gossip      *gossip.Gossip
	gossipKey   []byte
	gossipSeeds []string
	gossipSince time.Time
	// pace is what log and heartbeats follow; keepLinks changes it.
	pace pace.Pace
	// pairs are the keys of heartbeats; only keepLinks uses them.
	pairs ownkeys.Pairs
	// own are this node's keys beside that of its identity.
	own *ownkeys.Keys

	store *pki.Store
	// keys are what this node knows of keys beside its State.
	keys     *membership.KeyBook
	registry *vouching.Registry
	mux      *pki.Mux
	// homes are the addresses at which the other nodes are, and homesTold those that the forwarder
	// knows; only keepLinks uses the second.
	homes     *homes.Book
	homesTold []netip.Addr
	wire      *quorum.Wire
	// shutWire is the log's where it is shut; nil otherwise.
	shutWire *quorum.Wire
	log      *quorum.Log
	pulse    *quorum.Pulse
	agent    agents.Agent
	drivers  map[string]fence.Driver
	teller   teller

	replica   *replica
	book      *logbook.Book
	returning *returning.Return
	pair      *pair.Pair
	roll      *roll.Roll
	admission *admission.Admission
	comparing *comparing.Comparing
	box       *mailbox
	executor  *executor.Executor
	guard     *hostguard.Guard
	fencing   *fencing.Desk
	door      *passage.Door
	ears      *ears.Ears
	// networks are nil where this host makes none.
	networks *networks.Host
	plans    *recorder.Recorder
	register *register.Register
	page     *web.Front
	// tools is the tools' interface.
	tools       *server.Server
	role        atomic.Pointer[role]
	decided     atomic.Pointer[decided]
	warnings    warnings.Book
	metrics     *metrics.Metrics
	hearing     hearing
	stewardship stewardship
	work        sync.WaitGroup
	// closings are what close ends, the last one first.
	closings []closing
	// end stops the daemon with a reason; only the first one counts.
	end context.CancelCauseFunc
}

// New makes a daemon and reads what the folder holds. Nothing runs before Run.
// ErrNoCluster is returned when the node belongs to no cluster.
func New(options Options) (*Daemon, error) {
	place, err := options.Folder.Membership()
	if err != nil {
		return nil, err
	}
	if place.Node != options.Node.Name {
		return nil, fmt.Errorf("this node joined as %s and is now called %s; set `name: %s` in %s, or join again with an "+
			"empty data folder", place.Node, options.Node.Name, place.Node, nodefile.Path)
	}
	d := &Daemon{options: options, name: options.Node.Name, logger: options.Logger, membership: place,
		agent: options.Agent, drivers: options.Drivers, box: newMailbox(), teller: alerts.Send}
	d.role.Store(&role{})
	d.decided.Store(&decided{})
	d.replica = newReplica(d.fatal, d.box.wake)
	if err := d.readHost(); err != nil {
		return nil, err
	}
	if err := d.readFolder(); err != nil {
		return nil, err
	}
	return d, d.makeRooms()
}

// readHost reads what this machine is known by.
func (d *Daemon) readHost() (err error) {
	if d.boot, err = membership.BootID(d.options.Node); err != nil {
		return err
	}
	if d.hardware, err = membership.HardwareUUID(d.options.Node); err != nil {
		return err
	}
	d.address, err = membership.Advertised(d.options.Node)
	return err
}

// readFolder reads what the data folder holds beside the log.
func (d *Daemon) readFolder() (err error) {
	folder := d.options.Folder
	if d.register, err = register.Open(folder, d.name, d.logger, &d.warnings); err != nil {
		return err
	}
	identity, err := ownkeys.Load(folder)
	if err != nil {
		return err
	}
	d.store = pki.NewStore(identity, pki.Trust{
		Standing:    func(peer pki.Peer) pki.Standing { return d.registry.Standing(peer) },
		Authorities: func() []*x509.Certificate { return d.registry.Authorities() }, Warn: d.warnDates,
	})
	if err := d.replica.steps.Load(folder); err != nil {
		return err
	}
	d.keys, err = membership.OpenKeyBook(folder, d.membership.ID)
	return err
}

// State is the newest State that this node has applied. It never changes.
func (d *Daemon) State() *cluster.State { return d.replica.Root() }

// endWith ends this run of the daemon with a reason; only the first one counts.
func (d *Daemon) endWith(why error) { d.end(why) }

// fatal ends the daemon with words. VMs run on.
func (d *Daemon) fatal(reason string) {
	d.logger.Error("clusterd stops itself; VMs run on", "node", d.name, "why", reason)
	if d.end != nil {
		d.end(errors.New(reason))
	}
}

// HandOver gives leadership away before a planned stop, so that nobody waits
// for an election.
func (d *Daemon) HandOver(ctx context.Context) {
	if !d.role.Load().leading { // nor is there a log before somebody leads
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := d.log.HandOver(ctx, ""); err != nil {
		d.logger.Info("leadership was not handed over", "error", err)
	}
}
