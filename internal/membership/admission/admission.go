// Package admission brings a node in: the first commands that were left for it, an incarnation for
// this start of its daemon, and what runs on its host. Only then anything is done (law L2).
package admission

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/resources"
)

const (
	// logLimit bounds one wait for a leader and its log.
	logLimit       = 5 * time.Second
	admissionPause = 500 * time.Millisecond
	inventoryLimit = 30 * time.Second
)

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	// Verify returns once this node has applied what was committed before the call.
	Verify(ctx context.Context) error
	// Held is how far the log goes.
	Held() (quorum.Held, bool)
}

// Options are what an admission stands on. All are required.
type Options struct {
	// Node is this node's name, Address where the others reach it, Boot its boot id, and Version what
	// its build calls itself.
	Node, Address, Boot, Version string
	Folder                       membership.Folder
	Logger                       *slog.Logger
	Warnings                     *warnings.Book
	Log                          Log
	Store                        *pki.Store
	// Agent tells what runs here, and Capacity what this host has for services.
	Agent    agents.Agent
	Capacity func() cluster.Capacity
	// Fatal ends the daemon with words.
	Fatal func(reason string)
}

// Admission is that of one start of a daemon.
type Admission struct {
	Options
	incarnation atomic.Uint64
	// begun: what was left for the first start is in the log. Before that this node
	// decides nothing, also when it leads.
	begun atomic.Bool
	// session names this start of the daemon, so that a NodeUp told twice begins
	// one incarnation. Only Run uses it.
	session string
}

// New makes an admission, which begins with Run.
func New(options Options) *Admission { return &Admission{Options: options} }

// Incarnation is this start of the daemon, as the State knows it; 0 before it does.
func (a *Admission) Incarnation() uint64 { return a.incarnation.Load() }

// Begun reports whether what was left for the first start is in the log. Before that this node
// decides nothing, also when it leads.
func (a *Admission) Begun() bool { return a.begun.Load() }

// Admitted reports whether the cluster has let this start of the daemon in.
func (a *Admission) Admitted() bool {
	me, known := a.Log.Root().Nodes.Get(a.Node)
	return known && me.Incarnation != 0 && me.Incarnation == a.incarnation.Load() && me.State != cluster.NodeLooking
}

// Run brings this node in: the founder's first commands, then an
// incarnation, then the inventory (law L2: look before you act). It begins
// again when the State forgets the incarnation (after a restore).
func (a *Admission) Run(ctx context.Context) {
	for ctx.Err() == nil {
		changed := a.Log.Changed()
		root := a.Log.Root()
		me, known := root.Nodes.Get(a.Node)
		mine := a.incarnation.Load()
		switch {
		case known && mine != 0 && me.Incarnation > mine:
			a.Fatal(fmt.Sprintf("another daemon of %s has started (incarnation %d, this one is %d)", a.Node,
				me.Incarnation, mine))
			return
		case known && mine != 0 && me.Incarnation == mine && me.State != cluster.NodeLooking &&
			!root.Outlived(a.Node, a.Boot):
			a.Warnings.Set("admission", "")
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		if err := a.admit(ctx); err != nil && ctx.Err() == nil {
			if a.Warnings.Set("admission", err.Error()) {
				a.Logger.Warn("this node is not admitted yet", "node", a.Node, "why", err)
			}
			sleep.For(ctx, admissionPause)
		}
	}
}

// admit makes one try.
func (a *Admission) admit(ctx context.Context) error {
	if err := a.firstCommands(ctx); err != nil {
		return err
	}
	// A linearizable read: the log up to here is applied, so the mind acts on
	// nothing that was decided otherwise while this node was away.
	verified, cancel := context.WithTimeout(ctx, logLimit)
	defer cancel()
	if err := a.Log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	root := a.Log.Root()
	me, known := root.Nodes.Get(a.Node)
	if !known {
		return errors.New("this node has no place in the cluster's state yet")
	}
	incarnation := a.incarnation.Load()
	if incarnation != 0 && me.Incarnation > incarnation {
		return fmt.Errorf("incarnation %d of %s has begun, this one is %d", me.Incarnation, a.Node, incarnation)
	}
	if incarnation == 0 || me.Incarnation != incarnation || root.Outlived(a.Node, a.Boot) {
		a.incarnation.Store(0)
		var err error
		if incarnation, err = a.comeUp(ctx); err != nil {
			return err
		}
	}
	found, err := a.inventory(ctx)
	if err != nil {
		// The incarnation counts from now on, the work begins with the inventory.
		a.incarnation.Store(incarnation)
		return fmt.Errorf("waiting for the hypervisor: %w", err)
	}
	a.incarnation.Store(incarnation)
	here := cluster.Inventory{Node: a.Node, Incarnation: incarnation, Boot: a.Boot, Found: found}
	refused, err := a.Log.Propose(ctx, here)
	if err != nil {
		return err
	}
	return cluster.Refusal(refused)
}

// comeUp begins an incarnation. As long as the outcome is not known it is asked
// for under the same name: otherwise an entry that comes late would look like
// another daemon that took this one's place.
func (a *Admission) comeUp(ctx context.Context) (uint64, error) {
	if a.session == "" {
		a.session = rand.Text()
	}
	before, _ := a.Log.Root().Nodes.Get(a.Node)
	held, _ := a.Log.Held()
	refused, err := a.Log.Propose(ctx, cluster.NodeUp{
		Node: a.Node, Fingerprint: a.Store.Identity().Self.Fingerprint, Boot: a.Boot, Address: a.Address,
		Version: a.Version, MaxLevel: cluster.CurrentLevel, Session: a.session, Previous: &before.Incarnation,
		Log: held.Life, Capacity: a.Capacity(),
	})
	if err == nil {
		err = cluster.Refusal(refused)
	}
	if err != nil {
		return 0, err
	}
	me, _ := a.Log.Root().Nodes.Get(a.Node)
	mine := me.Session == a.session
	a.session = "" // it came to its end; a further incarnation needs a name of its own
	if !mine {
		return 0, fmt.Errorf("another daemon of %s has come up at the same time", a.Node)
	}
	return me.Incarnation, nil
}

// firstCommands puts into the log what `clusterd init`, `recover` or `restore`
// left for the first start.
func (a *Admission) firstCommands(ctx context.Context) error {
	folder := a.Folder
	var founding membership.Founding
	if err := folder.Read(membership.FoundingFile, &founding); err == nil {
		if err := a.found(ctx, founding); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var recovery membership.Recovery
	if err := folder.Read(membership.RecoveryFile, &recovery); err == nil {
		if err := a.recoverOnce(ctx, recovery); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	a.begun.Store(true)
	return nil
}

func (a *Admission) found(ctx context.Context, founding membership.Founding) error {
	if a.Log.Root().ID == "" {
		if refused, err := a.Log.Propose(ctx, founding.Init, founding.Join); err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		} else if err := cluster.Refusal(refused); err != nil && a.Log.Root().ID == "" {
			return err
		}
	}
	// Was it restored already, and this daemon ended before it removed the file?
	// Then doing it again would forget what was acknowledged since (law L7).
	verified, cancel := context.WithTimeout(ctx, logLimit)
	defer cancel()
	if err := a.Log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	var restore cluster.Restore
	if err := a.Folder.ReadLarge(membership.RestoreFile, &restore); err == nil && a.Log.Root().Generation > 1 {
		if err := a.Folder.Remove(membership.RestoreFile); err != nil {
			return err
		}
	} else if err == nil {
		if err := a.once(ctx, membership.RestoreFile, restore); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A node founds once: with its log wiped it must wait for the others, and
	// not begin a second cluster of the same name.
	if err := a.Folder.ForgetFounding(); err != nil {
		return err
	}
	return a.Folder.Remove(membership.FoundingFile)
}

// recoverOnce begins the new generation. Its number is written down before it
// is proposed: a second try after an end in between would declare nodes dead
// that came back meanwhile.
func (a *Admission) recoverOnce(ctx context.Context, recovery membership.Recovery) error {
	verified, cancel := context.WithTimeout(ctx, logLimit)
	defer cancel()
	if err := a.Log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	generation := a.Log.Root().Generation
	if recovery.Generation == 0 {
		recovery.Generation = generation + 1
		if err := a.Folder.Write(membership.RecoveryFile, recovery); err != nil {
			return err
		}
	}
	if generation < recovery.Generation {
		refused, err := a.Log.Propose(ctx, recovery.Command())
		if err != nil {
			return fmt.Errorf("carry out %s: %w", membership.RecoveryFile, err)
		}
		if err := cluster.Refusal(refused); err != nil && recovery.Parting != nil {
			// This log is not to be acted upon, and no other one is here.
			a.Fatal(fmt.Sprintf("the log does not let %s go on alone: %v; see which node's log goes furthest, and use "+
				"`clusterd recover` by hand", a.Node, err))
			return err
		} else if err != nil {
			return fmt.Errorf("carry out %s: %w", membership.RecoveryFile, err)
		}
	}
	if err := a.Folder.Remove(membership.RecoveryFile); err != nil {
		return err
	}
	return a.Folder.Remove(membership.PartingFile)
}

// once proposes a command that a file asks for, and removes the file when it is
// in the log.
func (a *Admission) once(ctx context.Context, file string, command cluster.Command) error {
	refused, err := a.Log.Propose(ctx, command)
	if err == nil {
		err = cluster.Refusal(refused)
	}
	if err != nil {
		return fmt.Errorf("carry out %s: %w", file, err)
	}
	return a.Folder.Remove(file)
}

// inventory asks the hypervisor what runs here, and for each service of which
// this node may be a holder whether it is really not here.
func (a *Admission) inventory(ctx context.Context) ([]cluster.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, inventoryLimit)
	defer cancel()
	here, err := a.Agent.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	root := a.Log.Root()
	seen := map[string]bool{}
	var found []cluster.Found
	for _, o := range here {
		if name := root.ServiceOf(o.UUID); name != "" && !seen[name] {
			seen[name] = true
			found = append(found, cluster.Found{Service: name, Observation: o})
		}
	}
	var doubtful []resources.Spec
	ask := func(service cluster.Service) {
		held := slices.ContainsFunc(service.Holders, func(h cluster.Holder) bool { return h.Node == a.Node })
		if held && !seen[service.Spec.Name] {
			doubtful = append(doubtful, service.Spec)
		}
	}
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		ask(service)
	}
	for _, uuid := range root.Tombstones.Keys() {
		grave, _ := root.Tombstones.Get(uuid)
		ask(grave)
	}
	for i, o := range a.lookAtAll(ctx, doubtful) {
		if o.Condition != resources.Unknown {
			found = append(found, cluster.Found{Service: doubtful[i].Name, Observation: o})
		}
	}
	return found, nil
}

// looksAtOnce bounds the looks of an inventory: each may run a few programs.
const looksAtOnce = 32

// lookAtAll looks at services, many at a time, and answers in their order.
func (a *Admission) lookAtAll(ctx context.Context, specs []resources.Spec) []resources.Observation {
	seen := make([]resources.Observation, len(specs))
	slots := make(chan struct{}, looksAtOnce)
	var looking sync.WaitGroup
	for i, spec := range specs {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			seen[i] = a.Agent.Look(ctx, spec)
		})
	}
	looking.Wait()
	return seen
}
