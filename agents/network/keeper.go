package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

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

	// mu is held while one network is made or taken away, and no longer: starts wait for it. Wanted is
	// asked under it: a network that an act has just made is wanted by the State that ordered the act,
	// and so by every later one.
	mu sync.Mutex
	// made is what was made last of each network.
	made map[string]made
}

// made is a network as it was made at a time.
type made struct {
	wish Wish
	at   time.Time
}

// trusted is how long a round believes that what was made is still so.
const trusted = 30 * time.Second

// NewKeeper makes a keeper.
func NewKeeper(driver Driver, wanted Wanted) *Keeper {
	return &Keeper{driver: driver, wanted: wanted, made: map[string]made{}}
}

// ensure makes a network. The caller holds mu.
func (k *Keeper) ensure(wish Wish) error {
	delete(k.made, wish.Name)
	if err := k.driver.Ensure(wish); err != nil {
		return err
	}
	k.made[wish.Name] = made{wish, time.Now()}
	return nil
}

// stands reports whether a network was made like this a moment ago. The caller holds mu.
func (k *Keeper) stands(wish Wish) bool {
	last, was := k.made[wish.Name]
	return was && time.Since(last.at) < trusted && last.wish.Network == wish.Network && last.wish.Local == wish.Local &&
		slices.Equal(last.wish.Peers, wish.Peers)
}

// each does something with the networks of these names. ErrUnknown is returned for one that the
// document does not have.
func (k *Keeper) each(ctx context.Context, names []string, do func(Wish) error) (bridges []string, err error) {
	var failed []error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return bridges, errors.Join(append(failed, fmt.Errorf("network %s: %w", name, err))...)
		}
		bridge, err := k.one(name, do)
		if bridge != "" {
			bridges = append(bridges, bridge)
		}
		failed = append(failed, err)
	}
	return bridges, errors.Join(failed...)
}

func (k *Keeper) one(name string, do func(Wish) error) (bridge string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wishes, _ := k.wanted([]string{name})
	wish, wished := find(wishes, name)
	if !wished {
		return "", fmt.Errorf("network %s: %w", name, ErrUnknown)
	}
	k.driver.Look()
	return wish.Bridge, do(wish)
}

func find(wishes []Wish, name string) (wish Wish, found bool) {
	at := slices.IndexFunc(wishes, func(w Wish) bool { return w.Name == name })
	if at < 0 {
		return Wish{}, false
	}
	return wishes[at], true
}

// Tidy takes away what nothing here uses any longer, and makes what is missing: in this order,
// because a network may have the number or the bridge that another one had. What it could not do
// is told by network, and tried again at the next call. A network that something is attached to
// stays, and is no fault. What was made a moment ago is believed to stand.
func (k *Keeper) Tidy(ctx context.Context) map[string]error {
	failed := map[string]error{}
	wished, left, err := k.due()
	if err != nil {
		failed[""] = err
	}
	steps := []struct {
		names []string
		do    func(name string, wish Wish, wished bool) error
	}{{wished, k.clear}, {left, k.remove}, {wished, k.renew}}
	for _, step := range steps {
		for _, name := range step.names {
			if ctx.Err() != nil {
				return failed
			}
			if err := k.step(name, step.do); err != nil {
				failed[name] = err
			}
		}
	}
	return failed
}

// due begins a round: which networks are to be made or looked at, and which are here and not
// wanted.
func (k *Keeper) due() (wished, left []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wishes, known := k.wanted(nil)
	if !known {
		return nil, nil, nil
	}
	k.driver.Look()
	present, err := k.driver.Present()
	for _, wish := range wishes {
		if !slices.Contains(present, wish.Name) || !k.stands(wish) {
			wished = append(wished, wish.Name)
		}
	}
	for _, name := range present {
		if _, is := find(wishes, name); !is {
			left = append(left, name)
		}
	}
	return wished, left, err
}

// step does something with one network by what is wanted now: that may have changed since the round
// began, and a start may have made it.
func (k *Keeper) step(name string, do func(name string, wish Wish, wished bool) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wishes, known := k.wanted(nil)
	if !known {
		return nil
	}
	wish, wished := find(wishes, name)
	return do(name, wish, wished)
}

func (k *Keeper) clear(_ string, wish Wish, wished bool) error {
	if !wished {
		return nil
	}
	return k.driver.Clear(wish)
}

func (k *Keeper) remove(name string, _ Wish, wished bool) error {
	if wished {
		return nil
	}
	delete(k.made, name)
	if err := k.driver.Remove(name); err != nil && !errors.Is(err, ErrInUse) {
		return err
	}
	return nil
}

func (k *Keeper) renew(_ string, wish Wish, wished bool) error {
	if !wished {
		return nil
	}
	return k.ensure(wish)
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
		way := k.ensure
		if act.Rehearsed {
			way = k.driver.Check
		}
		bridges, err := k.each(ctx, act.Spec.Networks, way)
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
