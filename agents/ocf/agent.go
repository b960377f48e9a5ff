package ocf

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/mail"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// Options of an Agent.
type Options struct {
	// Node is this node's name, and Boot the boot id of its operating system.
	Node, Boot string
	// Folder keeps the records; it is forgotten at boot at the latest.
	Folder  string
	Folders dialect.Folders
	// AtOnce bounds the programs that checks and looks run at the same time; 0
	// takes four for each processor, and eight at least.
	AtOnce int
	Logger *slog.Logger
}

// maxServices bounds the services of one node.
const maxServices = 4096

// Agent drives the services of one node.
type Agent struct {
	options   Options
	records   records
	catalogue *dialect.Catalogue
	places    program.Places
	mail      *mail.Box
	checks    *checks
	users     users
	slots     chan struct{}
	reveal    agents.Reveal

	mu       sync.Mutex
	services map[string]*service
}

var _ agents.Agent = (*Agent)(nil)

// New makes the agent and reads what an earlier daemon of this boot started.
func New(options Options) (*Agent, error) {
	if options.AtOnce == 0 {
		options.AtOnce = max(8, 4*runtime.GOMAXPROCS(0))
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	options.Folders = options.Folders.WithDefaults()
	a := &Agent{
		options: options, records: records{folder: options.Folder, boot: options.Boot},
		catalogue: &dialect.Catalogue{Folders: options.Folders},
		mail:      mail.New(), services: map[string]*service{}, slots: make(chan struct{}, options.AtOnce),
	}
	list, err := a.records.load()
	if err != nil {
		return nil, err
	}
	if a.places, err = program.NewPlaces(groupName(options)); err != nil {
		options.Logger.Info("services get no control groups of their own", "node", options.Node, "why", err)
	}
	if _, err := os.Stat(options.Folders.SystemdRuns); err == nil {
		if a.places, err = a.places.WithScopes(options.Folders.Systemd, a.noScope); err != nil {
			options.Logger.Info("services get control groups below the daemon's, and no scopes", "node", options.Node,
				"why", err)
		}
	}
	for _, r := range list {
		a.services[r.UUID] = newService(r.UUID, r.Service, r)
		a.users.adopt(r)
	}
	a.checks = newChecks(a)
	return a, nil
}

// noScope is told when a program is begun below the daemon's own control group
// because systemd made no scope for it.
func (a *Agent) noScope(err error) {
	a.options.Logger.Warn("a service gets a control group below the daemon's, and no scope", "node", a.options.Node,
		"why", err)
}

// groupName is the control group of a node's services. Services are named alike in
// different clusters, and two daemons of one machine, as tests have them, must not
// end each other's processes: so the folder of the records is in the name.
func groupName(options Options) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(options.Folder))
	return fmt.Sprintf("clusterd-services-%s-%08x", options.Node, sum.Sum32())
}

// service is what the agent knows of one service. Its record belongs to
// whoever holds it.
type service struct {
	uuid, name string
	hold       chan struct{}
	record     *record
	// fresh tells that the record was checked by this daemon.
	fresh bool
	// mended is the sentence about the last restart of a part in place that nobody
	// was told yet.
	mended string
	// gone tells that the agent has forgotten it.
	gone bool

	mu        sync.Mutex
	interrupt context.CancelFunc
	told      agents.Observation
}

func newService(uuid, name string, r *record) *service {
	return &service{uuid: uuid, name: name, hold: make(chan struct{}, 1), record: r}
}

// interruptedBy says what breaks off the check that runs; nil says that none does.
func (s *service) interruptedBy(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = cancel
}

// take returns the service, held, or an error when the caller's time was over
// before whoever holds it let go. Who is about to act breaks off a check that is
// under way.
func (a *Agent) take(ctx context.Context, spec resources.Spec, acting bool) (*service, func(), error) {
	for {
		s, err := a.known(spec)
		if err != nil {
			return nil, nil, err
		}
		s.mu.Lock()
		if acting && s.interrupt != nil {
			s.interrupt()
		}
		s.mu.Unlock()
		select {
		case s.hold <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("an act or a check on %s has not ended here", spec.Name)
		}
		if !s.gone {
			return s, func() { <-s.hold }, nil
		}
		<-s.hold
	}
}

// known returns what the agent knows of a service; what it never heard of, it
// knows from now on.
func (a *Agent) known(spec resources.Spec) (*service, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, known := a.services[spec.UUID]; known {
		return s, nil
	}
	if len(a.services) >= maxServices {
		a.dropIdle()
	}
	if len(a.services) >= maxServices {
		return nil, fmt.Errorf("this node runs %d services already, the limit", maxServices)
	}
	s := newService(spec.UUID, spec.Name, nil)
	a.services[spec.UUID] = s
	return s, nil
}

// dropIdle forgets the services that are not here: of those that were removed
// from the document nobody says so. The caller holds a.mu.
func (a *Agent) dropIdle() {
	for uuid, s := range a.services {
		select {
		case s.hold <- struct{}{}:
			if s.record == nil {
				s.gone = true // whoever waits for it asks again
				delete(a.services, uuid)
			}
			<-s.hold
		default:
		}
	}
}

// slot waits for a place among the programs that run at the same time.
func (a *Agent) slot(ctx context.Context) (release func(), err error) {
	select {
	case a.slots <- struct{}{}:
		return func() { <-a.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no free place to run an agent: %w", context.Cause(ctx))
	}
}

// Inventory looks at every service that was started here.
func (a *Agent) Inventory(ctx context.Context) ([]agents.Observation, error) {
	a.mu.Lock()
	var known []*service
	for _, s := range a.services {
		known = append(known, s)
	}
	a.mu.Unlock()
	sort.Slice(known, func(i, j int) bool { return known[i].uuid < known[j].uuid })
	found := make([]agents.Observation, len(known))
	var looking sync.WaitGroup
	for i, s := range known {
		looking.Go(func() { found[i] = a.lookAtRecord(ctx, s) })
	}
	looking.Wait()
	here := found[:0]
	for _, o := range found {
		if o.Condition != agents.Absent {
			here = append(here, o)
		}
	}
	return here, nil
}

// lookAtRecord looks at a service by what was written down alone.
func (a *Agent) lookAtRecord(ctx context.Context, s *service) agents.Observation {
	spec := resources.Spec{Name: s.name, UUID: s.uuid}
	s, release, err := a.take(ctx, spec, false)
	if err != nil {
		return unknown(spec, err.Error())
	}
	defer release()
	if s.record == nil {
		return agents.Observation{Service: spec.Name, UUID: spec.UUID, Condition: agents.Absent}
	}
	return a.tell(s, a.inspect(ctx, s))
}

// note remembers what a result has told already; that a service is partial, no
// result tells.
func (a *Agent) note(s *service, o agents.Observation) {
	if o.Partial {
		a.tell(s, o)
		return
	}
	s.mu.Lock()
	s.told = o
	s.mu.Unlock()
}

// tell remembers an observation and delivers it when it is news.
func (a *Agent) tell(s *service, o agents.Observation) agents.Observation {
	s.mu.Lock()
	news := o.Mended != "" || s.told.Condition != o.Condition || s.told.Partial != o.Partial || s.told.Reason != o.Reason
	s.told = o
	s.mu.Unlock()
	if news {
		a.mail.Put(o)
	}
	return o
}

// Do implements agents.Agent.
func (a *Agent) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{
		agents.VerbStart: a.Start, agents.VerbStop: a.Stop, agents.VerbMigrate: a.Migrate,
		agents.VerbResume: agents.About(a.Resume), agents.VerbPause: agents.About(a.Pause),
		agents.VerbReconfigure: a.Reconfigure, agents.VerbConvalesce: agents.About(a.Convalesce),
	}.Do(ctx, act)
}

// Changes delivers what the checks find.
func (a *Agent) Changes() <-chan agents.Observation { return a.mail.Out() }

// Close ends the checks. What was started runs on.
func (a *Agent) Close() error {
	a.checks.close()
	a.mail.Close()
	a.options.Folders.Systemd.Close()
	return nil
}

const notLive = "a service made of resources does not move live; relocate it"

// Migrate refuses: there is no memory that could be carried over.
func (a *Agent) Migrate(ctx context.Context, migrate agents.Act) agents.Result {
	return agents.Result{Source: a.Look(ctx, migrate.Spec).Condition, Target: agents.Unknown, Why: notLive}
}

// Resume finds what is there: a service is never paused.
func (a *Agent) Resume(ctx context.Context, spec resources.Spec) agents.Result {
	seen := a.Look(ctx, spec)
	return agents.Result{OK: seen.Condition == agents.Running, Source: seen.Condition,
		Why: "a service made of resources is never paused"}
}

// Pause refuses: resources cannot be paused.
func (a *Agent) Pause(ctx context.Context, spec resources.Spec) agents.Result {
	return agents.Result{Source: a.Look(ctx, spec).Condition,
		Why: "a service made of resources cannot be paused; stop it on one of the nodes"}
}

func unknown(spec resources.Spec, why string) agents.Observation {
	return agents.Observation{Service: spec.Name, UUID: spec.UUID, Condition: agents.Unknown, Reason: why, Evidence: why}
}

// soon bounds one check that somebody waits for.
const soon = 8 * time.Second
