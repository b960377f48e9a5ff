package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// gossipPurpose names the key of gossip among those that are derived from the data key.
const gossipPurpose = "gossip"

// vault keeps the data key at hand: opening it is dear, and it is asked for again and again.
type vault struct {
	mu      sync.Mutex
	wrapped []byte
	key     pki.DataKey
}

var errNoDataKey = errors.New("this node was not given the cluster's data key yet; try again in a moment")

// open returns the data key of a State, as it is sealed to the key of this node that the State
// records.
func (v *vault) open(root *cluster.State, node string, own *pki.NodeKey) (pki.DataKey, error) {
	wrapped := root.Secrets.Wraps[node]
	if len(wrapped) == 0 {
		return pki.DataKey{}, errNoDataKey
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if bytes.Equal(v.wrapped, wrapped) {
		return v.key, nil
	}
	key, err := own.Unwrap(root.ID, wrapped)
	if err != nil {
		return pki.DataKey{}, fmt.Errorf("the cluster's data key, as it was given to this node: %w", err)
	}
	v.wrapped, v.key = wrapped, key
	return key, nil
}

func (d *Daemon) dataKey(root *cluster.State) (pki.DataKey, error) {
	return d.vault.open(root, d.name, d.recordedKey(root))
}

// authority opens the cluster's CA.
func (d *Daemon) authority(root *cluster.State) (*pki.CA, error) {
	if root.Secrets.Authority == "" {
		return nil, errors.New("this node does not hold the cluster's state yet; try again in a moment")
	}
	key, err := d.dataKey(root)
	if err != nil {
		return nil, err
	}
	if next := root.Secrets.Next; next != nil && next.Signing {
		return membership.OpenNext(next, key)
	}
	return membership.OpenAuthority(root.Secrets, key)
}

// rekeyTries is how often a change of the data key is tried that others overtake.
const rekeyTries = 5

// rekey brings a new data key into force: every member is given it, and nobody else.
func (d *Daemon) rekey(ctx context.Context, by string, why message.Text) error {
	var last error
	for range rekeyTries {
		command, err := d.newDataKey(d.replica.Root(), by, why)
		if err != nil {
			return err
		}
		applied, err := d.propose(ctx, command)
		if err != nil {
			return err
		}
		if last = applied.Err(); last == nil {
			return nil
		}
	}
	return last
}

func (d *Daemon) newDataKey(root *cluster.State, by string, why message.Text) (cluster.Rekey, error) {
	old, err := d.dataKey(root)
	if err != nil {
		return cluster.Rekey{}, err
	}
	ca, err := membership.OpenAuthority(root.Secrets, old)
	if err != nil {
		return cluster.Rekey{}, err
	}
	fresh := pki.NewDataKey()
	command := cluster.Rekey{
		Epoch: root.Secrets.Epoch, Wraps: map[string][]byte{},
		AuthorityKey: fresh.Seal(membership.SealedAuthority, ca.KeyPEM),
		By:           by, Why: why,
	}
	if next := root.Secrets.Next; next != nil {
		nextCA, err := membership.OpenNext(next, old)
		if err != nil {
			return cluster.Rekey{}, err
		}
		command.NextKey = fresh.Seal(membership.SealedAuthority, nextCA.KeyPEM)
	}
	if command.Sealed, err = sealedAnew(root.Secrets, old, fresh); err != nil {
		return cluster.Rekey{}, err
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		if len(n.Key) == 0 {
			continue
		}
		if command.Wraps[name], err = fresh.WrapFor(n.Key, root.ID); err != nil {
			return cluster.Rekey{}, fmt.Errorf("give %s the data key: %w", name, err)
		}
	}
	return command, nil
}

// renewDataKey changes the data key when somebody has gone who knew it, or somebody came. The
// leader does it, so that not all do.
func (d *Daemon) renewDataKey(ctx context.Context) {
	why := d.replica.Root().RekeyWanted()
	if why.IsZero() || !d.begun.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	err := d.rekey(ctx, "", why)
	if err != nil && !errors.Is(err, quorum.ErrNotLeader) {
		d.logger.Warn("the data key is due to be changed and was not", "why", why.String(), "error", err)
	}
	d.warnings.SetError("data key", err)
}

// gossipOverlap is how long what is encrypted with the key before is still read.
const gossipOverlap = 10 * time.Second

func (d *Daemon) closeGossip() {
	if d.gossip != nil {
		_ = d.gossip.Close()
	}
}

// keepGossip opens gossip once its key is known, and changes the key with the data key. Gossip is
// best effort: it finds members and decides nothing.
func (d *Daemon) keepGossip() {
	if d.options.Links != nil {
		return
	}
	data, err := d.dataKey(d.replica.Root())
	if err != nil {
		return // this node may have been given none yet
	}
	key := data.Derive(gossipPurpose)
	switch changed := !bytes.Equal(key, d.gossipKey); {
	case d.gossip == nil:
		d.gossipKey = key
		d.openGossip()
		if d.gossip != nil {
			err = d.gossip.SetSeeds(d.gossipSeeds)
		}
	case changed:
		err = d.gossip.SetKeys([][]byte{key, d.gossipKey})
		d.gossipKey, d.gossipSince = key, time.Now()
	case !d.gossipSince.IsZero() && time.Since(d.gossipSince) > gossipOverlap:
		err = d.gossip.SetKeys([][]byte{key})
		d.gossipSince = time.Time{}
	}
	if err != nil {
		d.warnings.Set("gossip", err.Error())
	}
}
