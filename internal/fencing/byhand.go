package fencing

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/internal/sleep"
)

// listenFor is how long a node is listened for before an operator's word that
// it is off is taken.
const listenFor = 2 * time.Second

// ByHand cuts or gives a node power, or takes a person's word that it is off.
func (d *Desk) ByHand(ctx context.Context, n cluster.Member, asked api.FenceRequest, by string) error {
	switch asked.Op {
	case api.FenceOff, api.FenceReboot:
		return d.proposedAll(ctx, d.intentFor(n, asked, by))
	case api.FenceOn:
		return d.givePower(ctx, n)
	case api.FenceConfirm:
		return d.confirmFence(ctx, n, asked, by)
	}
	return server.Refuse(http.StatusBadRequest, "bad_request", "%q is no way to fence a node", asked.Op)
}

// intentFor is a fence intent by hand. The log has it before anything is sent;
// the attempts follow from it.
func (d *Desk) intentFor(n cluster.Member, asked api.FenceRequest, by string) cluster.BeginFence {
	fencer := d.Log.Leader()
	if fencer == n.Name {
		for _, other := range d.Log.Root().Nodes.Rows() {
			if name := other.Name; name != d.Node && name != n.Name && other.Reachable() {
				fencer = name
			}
		}
	}
	return cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: fencer, Why: message.FenceAsked.With(by, asked.Reason),
		By: by, Override: true, Reboot: asked.Op == api.FenceReboot}
}

// givePower asks every device of a node's first level for power. Best effort:
// nothing depends on it, and the node's new boot reports whether it worked.
func (d *Desk) givePower(ctx context.Context, n cluster.Member) error {
	root := d.Log.Root()
	levels := root.Document.Nodes[n.Name].Fence
	if n.Reachable() || root.Fences.Has(n.Name) || len(levels) == 0 {
		return server.Refuse(http.StatusConflict, "refused",
			"%s is %s, or being fenced, or has no fence device; it is not powered on", n.Name, n.State)
	}
	var devices []fence.Device
	for _, name := range levels[0].Devices {
		devices = append(devices, root.Document.Devices[name])
	}
	if result := d.PowerOn(ctx, devices); result.Outcome != fence.Confirmed {
		return server.Refuse(http.StatusConflict, "refused", "%s was not given power: %s", n.Name,
			strings.Join(result.Evidence, "; "))
	}
	return nil
}

// confirmFence opens the intent where none is open, listens for the node once
// more, and takes the operator's word.
func (d *Desk) confirmFence(ctx context.Context, n cluster.Member, asked api.FenceRequest, by string) error {
	if n.State == cluster.NodeFenced {
		return server.Refuse(http.StatusConflict, "refused",
			"%s is confirmed off already (%s); nothing was changed", n.Name, n.Why)
	}
	before := d.Beats(n.Name)
	if !sleep.For(ctx, listenFor) {
		return ctx.Err()
	}
	if n.Name == d.Node || d.Beats(n.Name) != before {
		return server.Refuse(http.StatusConflict, "refused",
			"%s is heard right now: a machine that shows life is not off; nothing was changed", n.Name)
	}
	word := cluster.ConfirmFence{Node: n.Name, Boot: n.Boot, By: by, Why: asked.Reason}
	root := d.Log.Root()
	if root.Fences.Has(n.Name) {
		return d.proposedAll(ctx, word)
	}
	devices := len(root.Document.Nodes[n.Name].Fence) > 0
	if n.Reachable() || (devices && root.Disarmed == nil) {
		return server.Refuse(http.StatusConflict, "refused",
			"%s is %s and not being fenced; fence it with `clusterd fence node %s --off`", n.Name, n.State, n.Name)
	}
	intent := d.intentFor(n, asked, by)
	intent.Word = devices
	return d.proposedAll(ctx, intent, word)
}

// proposedAll puts commands into the log; the first refusal of them is told to the caller.
func (d *Desk) proposedAll(ctx context.Context, commands ...cluster.Command) error {
	refused, err := d.Log.Propose(ctx, commands...)
	if err != nil {
		return err
	}
	for _, why := range refused {
		if !why.IsZero() {
			return server.Refuse(http.StatusConflict, "refused", "%s", why)
		}
	}
	return nil
}
