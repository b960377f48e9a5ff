package ownkeys

import (
	"context"
	"errors"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// stepLimit bounds one step.
const stepLimit = 5 * time.Second

// authorityEvery is how often a step of a rotation is tried again, authorityPause how soon at most,
// and HeldPause how soon where trying again alone does not mend it.
const (
	authorityEvery = 5 * time.Second
	authorityPause = 500 * time.Millisecond
	HeldPause      = 5 * time.Second
)

// KeepRotation takes this node's part in a rotation of the authority, or of its own key: one after
// the other, since a certificate stands for both.
func (k *Keys) KeepRotation(ctx context.Context) {
	for {
		changed := k.Log.Changed()
		if pause := k.followKeys(ctx); pause > 0 && !sleep.For(ctx, pause) {
			return
		}
		if !sleep.Until(ctx, changed, authorityEvery) {
			return
		}
	}
}

// followKeys takes this node's part in whatever rotation is under way, and returns how long the
// next try waits.
func (k *Keys) followKeys(ctx context.Context) time.Duration {
	pause := time.Duration(0)
	for _, follow := range []func(context.Context) error{k.followNodeKey, k.followAuthority} {
		err := follow(ctx)
		if ctx.Err() != nil {
			return 0
		}
		if pauseAfter(err) == authorityPause {
			k.Logger.Info("a step to a new key or authority is tried again", "node", k.Node, "error", err)
		}
		pause = max(pause, pauseAfter(err))
	}
	return pause
}

// pauseAfter is how long the next try waits after a step. What is held up may stay so for hours: it
// is told once, as a warning, and each try asks every member. Any other failure may pass at once,
// but a refusal is an entry too, which the next try would follow.
func pauseAfter(err error) time.Duration {
	held := Held("")
	switch {
	case err == nil:
		return 0
	case errors.As(err, &held):
		return HeldPause
	}
	return authorityPause
}

// followAuthority writes down that both authorities are believed before it says so, and gets a
// certificate of the new one once all have.
func (k *Keys) followAuthority(ctx context.Context) error {
	if !authorityDue(k.Log.Root(), k.Node) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	// A State that is being read back from the log tells of rotations that are long over.
	if err := k.Log.Verify(ctx); err != nil {
		return err
	}
	root := k.Log.Root()
	if !authorityDue(root, k.Node) {
		return nil
	}
	next := root.Secrets.Next
	told := cluster.NodeAuthority{Node: k.Node, Since: next.Since, Held: next.Signing}
	if err := k.Book.Take(root); err != nil {
		return err
	}
	if next.Signing {
		certificate, err := pki.ParseCertificate([]byte(next.Certificate))
		if err != nil {
			return err
		}
		if !certificate.Equal(k.Store.Identity().Authority) {
			if err := k.Renew(); err != nil {
				return err
			}
		}
	}
	_, err := k.Log.Propose(ctx, told) // a refusal says that it is over
	return err
}

// authorityDue reports whether a rotation waits for this node.
func authorityDue(root *cluster.State, node string) bool {
	next := root.Secrets.Next
	switch {
	case next == nil || !root.Nodes.Has(node):
		return false
	case next.Signing:
		return !next.Held[node]
	}
	return !next.Believed[node]
}

// propose puts one command into the log; a refusal is an error.
func (k *Keys) propose(ctx context.Context, command cluster.Command) error {
	refused, err := k.Log.Propose(ctx, command)
	if err != nil {
		return err
	}
	return cluster.Refusal(refused)
}
