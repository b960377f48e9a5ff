package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/clusterd/clusterd/agents"
)

// Wanted tells which networks this host is to have, by the newest State, and those of the names
// besides. Known is false where the State does not say that: before the node is admitted, or after
// it was removed. Then nothing is taken away.
type Wanted func(besides []string) (wishes []Wish, known bool)

// Keeper makes the networks that this host is to have, and takes the others away. It is safe for
// concurrent use.
type Keeper struct {
	driver Driver
	wanted Wanted

	// mu is held while anything is made or taken away. Wanted is asked under it: a network that an act
	// has just made is wanted by the State that ordered the act, and so by every later one.
	mu sync.Mutex
}

// NewKeeper makes a keeper.
func NewKeeper(driver Driver, wanted Wanted) *Keeper { return &Keeper{driver: driver, wanted: wanted} }

// each does something with the networks of these names. ErrUnknown is returned for one that the
// document does not have.
func (k *Keeper) each(names []string, do func(Wish) error) (bridges []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wishes, _ := k.wanted(names)
	var failed []error
	for _, name := range names {
		at := slices.IndexFunc(wishes, func(w Wish) bool { return w.Name == name })
		if at < 0 {
			failed = append(failed, fmt.Errorf("network %s: %w", name, ErrUnknown))
			continue
		}
		bridges = append(bridges, wishes[at].Bridge)
		failed = append(failed, do(wishes[at]))
	}
	return bridges, errors.Join(failed...)
}

// Tidy takes away what nothing here uses any longer, and makes what is missing: in this order,
// because a network may have the number or the bridge that another one had. What it could not do is
// told by network, and tried again at the next call. A network that something is attached to stays,
// and is no fault.
func (k *Keeper) Tidy() map[string]error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wishes, known := k.wanted(nil)
	if !known {
		return nil
	}
	failed := map[string]error{}
	for _, wish := range wishes {
		if err := k.driver.Clear(wish); err != nil {
			failed[wish.Name] = err
		}
	}
	present, err := k.driver.Present()
	if err != nil {
		failed[""] = err
	}
	for _, name := range present {
		if slices.ContainsFunc(wishes, func(w Wish) bool { return w.Name == name }) {
			continue
		}
		if err := k.driver.Remove(name); err != nil && !errors.Is(err, ErrInUse) {
			failed[name] = err
		}
	}
	for _, wish := range wishes {
		if err := k.driver.Ensure(wish); err != nil {
			failed[wish.Name] = err
		}
	}
	return failed
}

// Before has the networks of a service made before the service comes: before it is started, and
// when the target of its migration says whether it can take it. A service whose networks cannot be
// made does not come, and the reason is the act's. A rehearsal makes nothing.
func (k *Keeper) Before(do func(context.Context, agents.Act) agents.Result,
) func(context.Context, agents.Act) agents.Result {
	return func(ctx context.Context, act agents.Act) agents.Result {
		if len(act.Spec.Networks) == 0 || act.Verb != agents.VerbStart && act.Verb != agents.VerbPrepare {
			return do(ctx, act)
		}
		way := k.driver.Ensure
		if act.Rehearsed {
			way = k.driver.Check
		}
		bridges, err := k.each(act.Spec.Networks, way)
		act.Bridges = bridges
		switch {
		case err == nil:
			return do(ctx, act)
		case act.Verb == agents.VerbStart:
			return agents.Refuse(act, oneLine(err))
		}
		// The target tells everything that stands in the way at once, and what is here of the service.
		result := do(ctx, act)
		if result.OK {
			result.Why = ""
		}
		result.OK, result.Why = false, strings.TrimPrefix(result.Why+"; "+oneLine(err), "; ")
		return result
	}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
