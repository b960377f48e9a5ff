package ownkeys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// turnstile lets one through at a time. It is a channel, so that who waits at it counts as waiting
// where tests let the time run.
type turnstile chan struct{}

func (t turnstile) enter() { t <- struct{}{} }
func (t turnstile) leave() { <-t }

// Recorded is the private key that the State records of this node: that of its identity, or the
// one before while the new one is told and not yet recorded.
func (k *Keys) Recorded(root *cluster.State) *pki.NodeKey {
	own := k.Store.Identity().Key
	me, known := root.Nodes.Get(k.Node)
	if former, _ := k.get(); known && former != nil && former.Fingerprint() == me.Fingerprint {
		return former
	}
	return own
}

// nodeKeyDue reports whether this node has something to do about its own key.
func (k *Keys) nodeKeyDue(root *cluster.State) bool {
	me, known := root.Nodes.Get(k.Node)
	_, left := k.get()
	return known && (me.KeyTurn != nil || left)
}

// followNodeKey takes the steps to another key of this node that were ordered. Each is written down
// before it is told, so that a daemon that ended in between goes on with the same key.
// What it waits for beside the State is a warning of this node.
func (k *Keys) followNodeKey(ctx context.Context) error {
	if !k.nodeKeyDue(k.Log.Root()) {
		k.Warnings.Set(Trouble, "")
		return nil
	}
	k.steps.enter()
	defer k.steps.leave()
	return k.TakeStep(ctx)
}

// TakeStep is followNodeKey for whoever has passed the turnstile.
func (k *Keys) TakeStep(ctx context.Context) error {
	err := k.stepToNewKey(ctx)
	var held Held
	switch {
	case errors.As(err, &held):
		if k.Warnings.Set(Trouble, held.Error()) {
			k.Logger.Warn("the way to a new key of this node is held up", "node", k.Node, "why", held)
		}
	case err == nil:
		k.Warnings.Set(Trouble, "")
	}
	return err
}

// Trouble is the subject of warnings about this node's way to another key.
const Trouble = "node key"

// Held says why the next step to another key cannot be taken now, where trying again alone does
// not mend it.
type Held string

// Error implements error.
func (h Held) Error() string { return string(h) }

func (k *Keys) stepToNewKey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	// A State that is being read back from the log tells of orders that are long over.
	if err := k.Log.Verify(ctx); err != nil {
		return err
	}
	root := k.Log.Root()
	me, _ := root.Nodes.Get(k.Node)
	switch root.KeyStep(k.Node, k.Store.Identity().Key.Fingerprint()) {
	case cluster.KeyDrops:
		return k.dropOtherKeys()
	case cluster.KeyTold:
		return k.TellKey(ctx, me.KeyTurn)
	case cluster.KeyUsed:
		if unaware := k.Unaware(ctx, me.KeyTurn); len(unaware) > 0 {
			return k.heldBy(me.KeyTurn, unaware)
		}
		if err := k.UseNextKey(root, me.KeyTurn); err != nil {
			return err
		}
		return k.TurnKey(ctx, k.Log.Root())
	case cluster.KeyTurned:
		return k.TurnKey(ctx, root)
	}
	return nil
}

// heldBy says which members do not say yet that they know the new key, and what can be done.
func (k *Keys) heldBy(turn *cluster.KeyTurn, unaware []string) Held {
	remedy := fmt.Sprintf("remove it, or `clusterd keys rotate node %s --anyway`", k.Node)
	if turn.Anyway {
		remedy = "or remove it"
	}
	return Held(fmt.Sprintf("%s does not use its new key before every member says that it knows it; no such "+
		"answer from %s: bring back who is away, %s", k.Node, strings.Join(unaware, ", "), remedy))
}

// dropOtherKeys ends it: nothing of another key than the recorded one is left here.
func (k *Keys) dropOtherKeys() error {
	if err := pki.DropOtherKeys(k.folder()); err != nil {
		return err
	}
	k.set(nil, false)
	return nil
}

// TellKey makes the new key, and tells it.
func (k *Keys) TellKey(ctx context.Context, turn *cluster.KeyTurn) error {
	former, _ := k.get()
	k.set(former, true)
	next, err := pki.LoadOrCreateNextKey(k.folder())
	if err != nil {
		return err
	}
	command := cluster.TellKey{
		Node: k.Node, Since: turn.Since, Fingerprint: next.Fingerprint(), Key: next.PublicKey(),
	}
	if why := command.Refused(k.Log.Root()); !why.IsZero() {
		return Held("its new key cannot be told: " + why.String())
	}
	return k.propose(ctx, command)
}

// UseNextKey makes the new key, which the others believe by now, that of this node.
func (k *Keys) UseNextKey(root *cluster.State, turn *cluster.KeyTurn) error {
	k.identity.Lock()
	defer k.identity.Unlock()
	folder := k.folder()
	next, err := pki.ToldKey(folder, turn.Fingerprint)
	if errors.Is(err, fs.ErrNotExist) {
		return Held(fmt.Sprintf("the new key of %s that was told is no longer on its disk; stop or relocate what runs "+
			"there, then use `clusterd node replace %s`", k.Node, k.Node))
	}
	if err != nil {
		return Held(fmt.Sprintf("the new key of %s cannot be read: %v", k.Node, err))
	}
	identity, err := k.IdentityWith(root, next)
	if err != nil {
		return err
	}
	old := k.Store.Identity().Key
	if err := pki.TurnKey(folder, identity); err != nil {
		return err
	}
	k.set(old, true)
	if err := k.Store.Turn(identity); err != nil {
		return err
	}
	k.Logger.Info("this node uses its new key", "node", k.Node, "key", next.Fingerprint())
	return nil
}

// TurnKey has the new key recorded in the place of the one before.
func (k *Keys) TurnKey(ctx context.Context, root *cluster.State) error {
	me, _ := root.Nodes.Get(k.Node)
	own := k.Store.Identity().Key
	if root.KeyStep(k.Node, own.Fingerprint()) != cluster.KeyTurned {
		return nil // it came to its end meanwhile, or waits for a move, whose end is another State
	}
	command := cluster.TurnKey{
		Node: k.Node, Since: me.KeyTurn.Since, Fingerprint: own.Fingerprint(), Epoch: root.Secrets.Epoch,
	}
	if root.Secrets.Epoch != 0 {
		data, err := k.Vault.DataKey(root)
		if err != nil {
			return err
		}
		if command.Wrap, err = data.WrapFor(own.PublicKey(), root.ID); err != nil {
			return err
		}
	}
	if why := command.Refused(k.Log.Root()); !why.IsZero() {
		return Held("its new key is not recorded yet: " + why.String())
	}
	return k.propose(ctx, command)
}
