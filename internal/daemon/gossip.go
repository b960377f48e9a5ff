package daemon

import (
	"bytes"
	"time"
)

// gossipPurpose names the key of gossip among those that are derived from the data key.
const gossipPurpose = "gossip"

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
	data, err := d.vault.DataKey(d.replica.Root())
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
