//go:build cgo

package vm

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/mail"
	"github.com/clusterd/clusterd/agents/vm/arrival"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

const (
	// maxKnown bounds the VMs remembered for Changes.
	maxKnown = 4096
	// pollEvery catches what no event told.
	pollEvery = 5 * time.Second
	// lookTimeout bounds one look of our own.
	lookTimeout = 5 * time.Second
	// quietTime is how long libvirtd must answer "no such VM in any form" before
	// a call that an earlier daemon sent counts as ended.
	quietTime = 10 * time.Second
)

// knownVM is what the agent remembers of one VM.
type knownVM struct {
	service string
	last    agents.Observation
	// ending is how an event said that it stopped; empty while it is active.
	ending    string
	explained bool
}

// Agent drives the local libvirtd. It is an agents.Agent.
type Agent struct {
	options Options
	log     *slog.Logger
	table   proof.Processes
	journal *proof.Journal
	slots   chan struct{}
	changes *mail.Box
	touched *touched
	// host looks at what a VM needs here, and promised is the memory that was promised to VMs.
	host     *arrival.Host
	promised promises

	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex
	main  *session // nil while disconnected
	asker *asker
	known map[string]*knownVM
	// tails are the calls of migrations that are over and that libvirt has not
	// ended yet, by UUID: at most one for each VM.
	tails map[string]chan struct{}
	// watchers hear of the lifecycle events of one VM while an act waits for them.
	watchers map[string]map[chan lifecycle]struct{}
}

var _ agents.Agent = (*Agent)(nil)

// Do implements agents.Agent.
func (a *Agent) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{
		agents.VerbStart: a.Start, agents.VerbStop: a.Stop, agents.VerbMigrate: a.Migrate,
		agents.VerbPrepare: a.Prepare,
		agents.VerbResume:  agents.About(a.Resume), agents.VerbPause: agents.About(a.Pause),
		agents.VerbCancel: agents.About(a.CancelMigration), agents.VerbTune: a.Tune,
	}.Do(ctx, act)
}

// lifecycle is one event of one VM, with the instant it was heard.
type lifecycle struct {
	event  libvirt.DomainEventType
	detail int
	at     time.Time
}

// New makes an Agent. It does not fail when libvirtd is down: the agent keeps
// trying, and until then every answer is an error or Unknown.
func New(options Options) (*Agent, error) {
	options = options.withDefaults()
	if err := startEventLoop(); err != nil {
		return nil, fmt.Errorf("start libvirt's event loop on %s: %w", options.Node, plain(err))
	}
	table := proof.Processes{Dir: options.ProcDir}
	book, err := proof.OpenJournal(filepath.Join(options.StateDir, "calls"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Agent{
		options: options, log: options.Logger, table: table, journal: book,
		slots: make(chan struct{}, maxCalls), changes: mail.New(), touched: newTouched(),
		host: arrival.NewHost("/"),
		stop: cancel, stopped: make(chan struct{}),
		known: map[string]*knownVM{}, watchers: map[string]map[chan lifecycle]struct{}{},
	}
	a.asker = &asker{open: func() (*session, error) { return a.session(ctx) }}
	for _, uuid := range book.VMs() {
		a.remember(uuid, "")
	}
	go a.run(ctx)
	return a, nil
}

// Changes delivers observations as they happen, the newest per VM.
func (a *Agent) Changes() <-chan agents.Observation { return a.changes.Out() }

// Close ends the connection and closes Changes. No VM is touched; acts under
// way end as their calls return.
func (a *Agent) Close() error {
	a.stop()
	<-a.stopped
	a.asker.close()
	return nil
}

func (a *Agent) current() (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.main == nil || !a.main.alive() {
		return nil, fmt.Errorf("%w of %s (%s)", ErrDisconnected, a.options.Node, a.options.URI)
	}
	return a.main, nil
}

// session opens a connection of its own for one act.
func (a *Agent) session(ctx context.Context) (*session, error) {
	if _, err := a.current(); err != nil {
		return nil, err
	}
	return a.dial(ctx, a.options.URI)
}

// remember makes a VM one whose loss is told.
func (a *Agent) remember(uuid, service string) *knownVM {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rememberLocked(uuid, service)
}

func (a *Agent) rememberLocked(uuid, service string) *knownVM {
	vm := a.known[uuid]
	if vm == nil {
		vm = &knownVM{last: agents.Observation{UUID: uuid, Condition: agents.Unknown}}
		if len(a.known) >= maxKnown {
			a.log.Warn("too many VMs to remember", "limit", maxKnown, "uuid", uuid)
			return vm
		}
		a.known[uuid] = vm
	}
	if service != "" {
		vm.service = service
	}
	return vm
}

// Inventory lists every active VM of the hypervisor.
func (a *Agent) Inventory(ctx context.Context) ([]agents.Observation, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	found, err := ask(ctx, s, func(conn *libvirt.Connect) ([]agents.Observation, error) {
		return observeAll(conn)
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("list the VMs of %s: %w", a.options.Node, plain(err))
	}
	for i := range found {
		a.complete(&found[i])
	}
	return found, nil
}

// observeAll lists the active VMs on one connection.
func observeAll(conn *libvirt.Connect) ([]agents.Observation, error) {
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, err
	}
	found := make([]agents.Observation, 0, len(domains))
	for i := range domains {
		seen, err := observe(&domains[i])
		_ = domains[i].Free()
		if noDomain(err) {
			continue // It ended while we listed.
		}
		if err != nil {
			return nil, err
		}
		if seen.Condition != agents.Absent {
			found = append(found, seen)
		}
	}
	return found, nil
}

// observe reads one VM. Absent here only means that libvirt shows it inactive.
func observe(domain *libvirt.Domain) (agents.Observation, error) {
	uuid, err := domain.GetUUIDString()
	if err != nil {
		return agents.Observation{}, err
	}
	seen := agents.Observation{UUID: uuid, Condition: agents.Absent}
	state, reason, err := domain.GetState()
	if err != nil {
		return seen, err
	}
	if seen.Title, err = domain.GetName(); err != nil {
		return seen, err
	}
	if state == libvirt.DOMAIN_SHUTOFF {
		return seen, nil
	}
	job, _ := jobOf(domain)
	seen.Condition, seen.Reason = conditionOf(state, reason, job)
	definition, err := domain.GetXMLDesc(0)
	if err != nil {
		return seen, err
	}
	seen.Disks, seen.Devices = liveDisks(definition, strings.ToLower(uuid)), agents.DevicesOf(definition)
	return seen, nil
}

// complete adds what the agent knows to what libvirt said.
func (a *Agent) complete(seen *agents.Observation) {
	seen.UUID = strings.ToLower(seen.UUID)
	a.journal.DropCreates(seen.UUID)
	a.mu.Lock()
	defer a.mu.Unlock()
	vm := a.rememberLocked(seen.UUID, "")
	seen.Service = vm.service
	vm.last = *seen
}

// Look answers for one service.
func (a *Agent) Look(ctx context.Context, spec resources.Spec) agents.Observation {
	uuid := strings.ToLower(spec.UUID)
	a.remember(uuid, spec.Name)
	return a.look(ctx, uuid)
}
