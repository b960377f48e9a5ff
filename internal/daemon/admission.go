package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/resources"
)

const (
	admissionPause = 500 * time.Millisecond
	inventoryLimit = 30 * time.Second
)

// keepAdmitted brings this node in: the founder's first commands, then an
// incarnation, then the inventory (law L2: look before you act). It begins
// again when the State forgets the incarnation (after a restore).
func (d *Daemon) keepAdmitted(ctx context.Context) {
	for ctx.Err() == nil {
		changed := d.replica.Changed()
		root := d.replica.Root()
		me, known := root.Nodes.Get(d.name)
		mine := d.incarnation.Load()
		switch {
		case known && mine != 0 && me.Incarnation > mine:
			d.fatal(fmt.Sprintf("another daemon of %s has started (incarnation %d, this one is %d)", d.name,
				me.Incarnation, mine))
			return
		case known && mine != 0 && me.Incarnation == mine && me.State != cluster.NodeLooking &&
			!root.Outlived(d.name, d.boot):
			d.warnings.Set("admission", "")
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		if err := d.admit(ctx); err != nil && ctx.Err() == nil {
			if d.warnings.Set("admission", err.Error()) {
				d.logger.Warn("this node is not admitted yet", "node", d.name, "why", err)
			}
			sleep.For(ctx, admissionPause)
		}
	}
}

// admit makes one try.
func (d *Daemon) admit(ctx context.Context) error {
	if err := d.firstCommands(ctx); err != nil {
		return err
	}
	// A linearizable read: the log up to here is applied, so the mind acts on
	// nothing that was decided otherwise while this node was away.
	verified, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	if err := d.log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	root := d.replica.Root()
	me, known := root.Nodes.Get(d.name)
	if !known {
		return errors.New("this node has no place in the cluster's state yet")
	}
	incarnation := d.incarnation.Load()
	if incarnation != 0 && me.Incarnation > incarnation {
		return fmt.Errorf("incarnation %d of %s has begun, this one is %d", me.Incarnation, d.name, incarnation)
	}
	if incarnation == 0 || me.Incarnation != incarnation || root.Outlived(d.name, d.boot) {
		d.incarnation.Store(0)
		var err error
		if incarnation, err = d.comeUp(ctx); err != nil {
			return err
		}
	}
	found, err := d.inventory(ctx)
	if err != nil {
		// The incarnation counts from now on, the work begins with the inventory.
		d.incarnation.Store(incarnation)
		return fmt.Errorf("waiting for the hypervisor: %w", err)
	}
	d.incarnation.Store(incarnation)
	applied, err := d.propose(ctx, cluster.Inventory{Node: d.name, Incarnation: incarnation, Boot: d.boot, Found: found})
	if err != nil {
		return err
	}
	return applied.Err()
}

// comeUp begins an incarnation. As long as the outcome is not known it is asked
// for under the same name: otherwise an entry that comes late would look like
// another daemon that took this one's place.
func (d *Daemon) comeUp(ctx context.Context) (uint64, error) {
	if d.session == "" {
		d.session = rand.Text()
	}
	before, _ := d.replica.Root().Nodes.Get(d.name)
	applied, err := d.propose(ctx, cluster.NodeUp{
		Node: d.name, Fingerprint: d.store.Identity().Self.Fingerprint, Boot: d.boot, Address: d.address,
		Version: Version, MaxLevel: cluster.CurrentLevel, Session: d.session, Previous: &before.Incarnation,
		Log: d.log.Held().Life, Capacity: d.ears.Has(),
	})
	if err == nil {
		err = applied.Err()
	}
	if err != nil {
		return 0, err
	}
	me, _ := d.replica.Root().Nodes.Get(d.name)
	mine := me.Session == d.session
	d.session = "" // it came to its end; a further incarnation needs a name of its own
	if !mine {
		return 0, fmt.Errorf("another daemon of %s has come up at the same time", d.name)
	}
	return me.Incarnation, nil
}

// firstCommands puts into the log what `clusterd init`, `recover` or `restore`
// left for the first start.
func (d *Daemon) firstCommands(ctx context.Context) error {
	folder := d.options.Folder
	var founding membership.Founding
	if err := folder.Read(membership.FoundingFile, &founding); err == nil {
		if err := d.found(ctx, founding); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var recovery membership.Recovery
	if err := folder.Read(membership.RecoveryFile, &recovery); err == nil {
		if err := d.recoverOnce(ctx, recovery); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.begun.Store(true)
	return nil
}

func (d *Daemon) found(ctx context.Context, founding membership.Founding) error {
	if d.replica.Root().ID == "" {
		if applied, err := d.propose(ctx, founding.Init, founding.Join); err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		} else if err := applied.Err(); err != nil && d.replica.Root().ID == "" {
			return err
		}
	}
	// Was it restored already, and this daemon ended before it removed the file?
	// Then doing it again would forget what was acknowledged since (law L7).
	verified, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	if err := d.log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	var restore cluster.Restore
	if err := d.options.Folder.ReadLarge(membership.RestoreFile, &restore); err == nil && d.replica.Root().Generation > 1 {
		if err := d.options.Folder.Remove(membership.RestoreFile); err != nil {
			return err
		}
	} else if err == nil {
		if err := d.once(ctx, membership.RestoreFile, restore); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A node founds once: with its log wiped it must wait for the others, and
	// not begin a second cluster of the same name.
	if err := d.options.Folder.ForgetFounding(); err != nil {
		return err
	}
	return d.options.Folder.Remove(membership.FoundingFile)
}

// recoverOnce begins the new generation. Its number is written down before it
// is proposed: a second try after an end in between would declare nodes dead
// that came back meanwhile.
func (d *Daemon) recoverOnce(ctx context.Context, recovery membership.Recovery) error {
	verified, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	if err := d.log.Verify(verified); err != nil {
		return fmt.Errorf("waiting for a leader and its log: %w", err)
	}
	generation := d.replica.Root().Generation
	if recovery.Generation == 0 {
		recovery.Generation = generation + 1
		if err := d.options.Folder.Write(membership.RecoveryFile, recovery); err != nil {
			return err
		}
	}
	if generation < recovery.Generation {
		applied, err := d.propose(ctx, recovery.Command())
		if err != nil {
			return fmt.Errorf("carry out %s: %w", membership.RecoveryFile, err)
		}
		if err := applied.Err(); err != nil && recovery.Parting != nil {
			// This log is not to be acted upon, and no other one is here.
			d.fatal(fmt.Sprintf("the log does not let %s go on alone: %v; see which node's log goes furthest, and use "+
				"`clusterd recover` by hand", d.name, err))
			return err
		} else if err != nil {
			return fmt.Errorf("carry out %s: %w", membership.RecoveryFile, err)
		}
	}
	if err := d.options.Folder.Remove(membership.RecoveryFile); err != nil {
		return err
	}
	return d.options.Folder.Remove(membership.PartingFile)
}

// once proposes a command that a file asks for, and removes the file when it is
// in the log.
func (d *Daemon) once(ctx context.Context, file string, command cluster.Command) error {
	applied, err := d.propose(ctx, command)
	if err == nil {
		err = applied.Err()
	}
	if err != nil {
		return fmt.Errorf("carry out %s: %w", file, err)
	}
	return d.options.Folder.Remove(file)
}

// inventory asks the hypervisor what runs here, and for each service of which
// this node may be a holder whether it is really not here.
func (d *Daemon) inventory(ctx context.Context) ([]cluster.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, inventoryLimit)
	defer cancel()
	here, err := d.agent.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	root := d.replica.Root()
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
		held := slices.ContainsFunc(service.Holders, func(h cluster.Holder) bool { return h.Node == d.name })
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
	for i, o := range d.lookAtAll(ctx, doubtful) {
		if o.Condition != resources.Unknown {
			found = append(found, cluster.Found{Service: doubtful[i].Name, Observation: o})
		}
	}
	return found, nil
}

// looksAtOnce bounds the looks of an inventory: each may run a few programs.
const looksAtOnce = 32

// lookAtAll looks at services, many at a time, and answers in their order.
func (d *Daemon) lookAtAll(ctx context.Context, specs []resources.Spec) []resources.Observation {
	seen := make([]resources.Observation, len(specs))
	slots := make(chan struct{}, looksAtOnce)
	var looking sync.WaitGroup
	for i, spec := range specs {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			seen[i] = d.agent.Look(ctx, spec)
		})
	}
	looking.Wait()
	return seen
}
