package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/internal/sleep"
)

// authorityEvery is how often a step of a rotation is tried again, authorityPause how soon at most,
// and keyHeldPause how soon where trying again alone does not mend it.
const (
	authorityEvery = 5 * time.Second
	authorityPause = 500 * time.Millisecond
	keyHeldPause   = 5 * time.Second
)

// authorities are those that this node believes beside its own certificate's: what the State names,
// or the file where the State is behind it.
func (d *Daemon) authorities() []*x509.Certificate {
	return pki.ParseAuthorities(d.knownKeys(d.replica.Root()).Keys().Authorities)
}

// keepAuthority takes this node's part in a rotation of the authority, or of its own key: one after
// the other, since a certificate stands for both.
func (d *Daemon) keepAuthority(ctx context.Context) {
	for {
		changed := d.replica.Changed()
		if pause := d.followKeys(ctx); pause > 0 && !sleep.For(ctx, pause) {
			return
		}
		timer := time.NewTimer(authorityEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			if !sleep.For(ctx, 20*time.Millisecond) { // entries come in bursts
				return
			}
		case <-timer.C:
		}
	}
}

// followKeys takes this node's part in whatever rotation is under way, and returns how long the
// next try waits.
func (d *Daemon) followKeys(ctx context.Context) time.Duration {
	pause := time.Duration(0)
	for _, follow := range []func(context.Context) error{d.followNodeKey, d.followAuthority} {
		err := follow(ctx)
		if ctx.Err() != nil {
			return 0
		}
		if pauseAfter(err) == authorityPause {
			d.logger.Info("a step to a new key or authority is tried again", "node", d.name, "error", err)
		}
		pause = max(pause, pauseAfter(err))
	}
	return pause
}

// pauseAfter is how long the next try waits after a step. What is held up may stay so for hours: it
// is told once, as a warning, and each try asks every member. Any other failure may pass at once,
// but a refusal is an entry too, which the next try would follow.
func pauseAfter(err error) time.Duration {
	held := keyHeld("")
	switch {
	case err == nil:
		return 0
	case errors.As(err, &held):
		return keyHeldPause
	}
	return authorityPause
}

// followAuthority writes down that both authorities are believed before it says so, and gets a
// certificate of the new one once all have.
func (d *Daemon) followAuthority(ctx context.Context) error {
	if !authorityDue(d.replica.Root(), d.name) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	// A State that is being read back from the log tells of rotations that are long over.
	if err := d.log.Verify(ctx); err != nil {
		return err
	}
	root := d.replica.Root()
	if !authorityDue(root, d.name) {
		return nil
	}
	next := root.Secrets.Next
	told := cluster.NodeAuthority{Node: d.name, Since: next.Since, Held: next.Signing}
	if err := d.keys.Take(root); err != nil {
		return err
	}
	if next.Signing {
		certificate, err := pki.ParseCertificate([]byte(next.Certificate))
		if err != nil {
			return err
		}
		if !certificate.Equal(d.store.Identity().Authority) {
			if err := d.renew(); err != nil {
				return err
			}
		}
	}
	_, err := d.propose(ctx, told) // a refusal says that it is over
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

// proposed puts one command into the log; a refusal is told to whoever asked.
func (d *Daemon) proposed(ctx context.Context, command cluster.Command) error {
	applied, err := d.propose(ctx, command)
	if err != nil {
		return err
	}
	if err := applied.Err(); err != nil {
		return server.Refuse(http.StatusConflict, "refused", "%v", err)
	}
	return nil
}
