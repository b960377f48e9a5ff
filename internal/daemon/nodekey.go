package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// ownKeys are this node's private keys beside that of its identity in use.
type ownKeys struct {
	mu sync.Mutex
	// former is the key before, as long as the State may record it; nil where there is none.
	former *pki.NodeKey
	// left: the folder holds a key beside the node's own.
	left bool
	// steps is held by whoever takes the steps to another key.
	steps turnstile
	// identity is held while the identity is made anew: a renewal must not take a new key's place.
	identity sync.Mutex
}

// turnstile lets one through at a time. It is a channel, so that who waits at it counts as waiting
// where tests let the time run.
type turnstile chan struct{}

func (t turnstile) enter() { t <- struct{}{} }
func (t turnstile) leave() { <-t }

// openOwnKeys ends a turn that was cut short, and finds what keys are left beside the node's own.
func openOwnKeys(folder string, own *ownKeys) error {
	own.steps = make(turnstile, 1)
	if err := pki.FinishTurn(folder); err != nil {
		return err
	}
	former, err := pki.FormerKey(folder)
	own.former, own.left = former, pki.KeysLeft(folder)
	return err
}

func (o *ownKeys) set(former *pki.NodeKey, left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.former, o.left = former, left
}

func (o *ownKeys) get() (former *pki.NodeKey, left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.former, o.left
}

// recordedKey is the private key that the State records of this node: that of its identity, or the
// one before while the new one is told and not yet recorded.
func (d *Daemon) recordedKey(root *cluster.State) *pki.NodeKey {
	own := d.store.Identity().Key
	me, known := root.Nodes.Get(d.name)
	if former, _ := d.own.get(); known && former != nil && former.Fingerprint() == me.Fingerprint {
		return former
	}
	return own
}

// nodeKeyDue reports whether this node has something to do about its own key.
func (d *Daemon) nodeKeyDue(root *cluster.State) bool {
	me, known := root.Nodes.Get(d.name)
	_, left := d.own.get()
	return known && (me.KeyTurn != nil || left)
}

// followNodeKey takes the steps to another key of this node that were ordered. Each is written down
// before it is told, so that a daemon that ended in between goes on with the same key.
// What it waits for beside the State is a warning of this node.
func (d *Daemon) followNodeKey(ctx context.Context) error {
	if !d.nodeKeyDue(d.replica.Root()) {
		d.warnings.Set(nodeKeyTrouble, "")
		return nil
	}
	d.own.steps.enter()
	defer d.own.steps.leave()
	return d.takeStep(ctx)
}

// takeStep is followNodeKey for whoever has passed the turnstile.
func (d *Daemon) takeStep(ctx context.Context) error {
	err := d.stepToNewKey(ctx)
	var held keyHeld
	switch {
	case errors.As(err, &held):
		if d.warnings.Set(nodeKeyTrouble, held.Error()) {
			d.logger.Warn("the way to a new key of this node is held up", "node", d.name, "why", held)
		}
	case err == nil:
		d.warnings.Set(nodeKeyTrouble, "")
	}
	return err
}

// nodeKeyTrouble is the subject of warnings about this node's way to another key.
const nodeKeyTrouble = "node key"

// keyHeld says why the next step to another key cannot be taken now, where trying again alone does
// not mend it.
type keyHeld string

// Error implements error.
func (h keyHeld) Error() string { return string(h) }

func (d *Daemon) stepToNewKey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	// A State that is being read back from the log tells of orders that are long over.
	if err := d.log.Verify(ctx); err != nil {
		return err
	}
	root := d.replica.Root()
	me, _ := root.Nodes.Get(d.name)
	switch root.KeyStep(d.name, d.store.Identity().Key.Fingerprint()) {
	case cluster.KeyDrops:
		return d.dropOtherKeys()
	case cluster.KeyTold:
		return d.tellKey(ctx, me.KeyTurn)
	case cluster.KeyUsed:
		if err := d.othersKnow(ctx, me.KeyTurn); err != nil {
			return err
		}
		if err := d.useNextKey(root, me.KeyTurn); err != nil {
			return err
		}
		return d.turnKey(ctx, d.replica.Root())
	case cluster.KeyTurned:
		return d.turnKey(ctx, root)
	}
	return nil
}

// dropOtherKeys ends it: nothing of another key than the recorded one is left here.
func (d *Daemon) dropOtherKeys() error {
	if err := pki.DropOtherKeys(string(d.options.Folder)); err != nil {
		return err
	}
	d.own.set(nil, false)
	return nil
}

// tellKey makes the new key, and tells it.
func (d *Daemon) tellKey(ctx context.Context, turn *cluster.KeyTurn) error {
	former, _ := d.own.get()
	d.own.set(former, true)
	next, err := pki.LoadOrCreateNextKey(string(d.options.Folder))
	if err != nil {
		return err
	}
	command := cluster.TellKey{
		Node: d.name, Since: turn.Since, Fingerprint: next.Fingerprint(), Key: next.PublicKey(),
	}
	if why := command.Refused(d.replica.Root()); !why.IsZero() {
		return keyHeld("its new key cannot be told: " + why.String())
	}
	return d.proposed(ctx, command)
}

// useNextKey makes the new key, which the others believe by now, that of this node.
func (d *Daemon) useNextKey(root *cluster.State, turn *cluster.KeyTurn) error {
	d.own.identity.Lock()
	defer d.own.identity.Unlock()
	folder := string(d.options.Folder)
	next, err := pki.ToldKey(folder, turn.Fingerprint)
	if errors.Is(err, fs.ErrNotExist) {
		return keyHeld(fmt.Sprintf("the new key of %s that was told is no longer on its disk; stop or relocate what runs "+
			"there, then use `clusterd node replace %s`", d.name, d.name))
	}
	if err != nil {
		return keyHeld(fmt.Sprintf("the new key of %s cannot be read: %v", d.name, err))
	}
	identity, err := d.identityWith(root, next)
	if err != nil {
		return err
	}
	old := d.store.Identity().Key
	if err := pki.TurnKey(folder, identity); err != nil {
		return err
	}
	d.own.set(old, true)
	if err := d.store.Turn(identity); err != nil {
		return err
	}
	d.logger.Info("this node uses its new key", "node", d.name, "key", next.Fingerprint())
	return nil
}

// turnKey has the new key recorded in the place of the one before.
func (d *Daemon) turnKey(ctx context.Context, root *cluster.State) error {
	me, _ := root.Nodes.Get(d.name)
	own := d.store.Identity().Key
	if root.KeyStep(d.name, own.Fingerprint()) != cluster.KeyTurned {
		return nil // it came to its end meanwhile, or waits for a move, whose end is another State
	}
	command := cluster.TurnKey{
		Node: d.name, Since: me.KeyTurn.Since, Fingerprint: own.Fingerprint(), Epoch: root.Secrets.Epoch,
	}
	if root.Secrets.Epoch != 0 {
		data, err := d.vault.DataKey(root)
		if err != nil {
			return err
		}
		if command.Wrap, err = data.WrapFor(own.PublicKey(), root.ID); err != nil {
			return err
		}
	}
	if why := command.Refused(d.replica.Root()); !why.IsZero() {
		return keyHeld("its new key is not recorded yet: " + why.String())
	}
	return d.proposed(ctx, command)
}
