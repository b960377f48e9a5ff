package daemon

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
)

// listenFor is how long a node is listened for before an operator's word that
// it is off is taken.
const listenFor = 2 * time.Second

// fenceByHand cuts a node's power, or takes an operator's word that it is off.
func (s *server) fenceByHand(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.FenceRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("fence: %.20s %.64s", asked.Op, asked.Node)
	if err := s.daemon.log.VerifyShared(r.Context()); err != nil {
		return err
	}
	err := s.fenceOp(r.Context(), asked, who)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: "Success"})
	return nil
}

// fenceOp does what was asked for.
func (s *server) fenceOp(ctx context.Context, asked api.FenceRequest, who caller) error {
	switch asked.Op {
	case api.FenceDisarm:
		return s.proposeFence(ctx, cluster.Disarm{For: asked.For, By: who.Name, Why: asked.Reason})
	case api.FenceArm:
		return s.proposeFence(ctx, cluster.Arm{By: who.Name})
	}
	n, known := s.daemon.replica.Root().Nodes.Get(asked.Node)
	if !known {
		return noNode(s.daemon.replica.Root(), asked.Node)
	}
	switch asked.Op {
	case api.FenceOff, api.FenceReboot:
		return s.proposeFence(ctx, s.intentFor(n, asked, who))
	case api.FenceOn:
		return s.powerOn(ctx, n)
	case api.FenceTest:
		return s.proposeFence(ctx, cluster.BeginDrill{Node: n.Name, Level: asked.Level, By: who.Name})
	case api.FenceConfirm:
		return s.confirmFence(ctx, n, asked, who)
	}
	return refuse(http.StatusBadRequest, "bad_request", "%q is no way to fence a node", asked.Op)
}

// intentFor is a fence intent by hand. The log has it before anything is sent;
// the attempts follow from it.
func (s *server) intentFor(n cluster.Member, asked api.FenceRequest, who caller) cluster.BeginFence {
	fencer := s.daemon.role.Load().leader
	if fencer == n.Name {
		for _, name := range sortedNames(s.daemon.peers()) {
			if other, _ := s.daemon.replica.Root().Nodes.Get(name); name != n.Name && other.Reachable() {
				fencer = name
			}
		}
	}
	return cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: fencer, Why: message.FenceAsked.With(who.Name, asked.Reason), By: who.Name, Override: true,
		Reboot: asked.Op == api.FenceReboot}
}

// powerOn asks every device of a node's first level for power. Best effort:
// nothing depends on it, and the node's new boot reports whether it worked.
func (s *server) powerOn(ctx context.Context, n cluster.Member) error {
	root := s.daemon.replica.Root()
	levels := root.Document.Nodes[n.Name].Fence
	if n.Reachable() || root.Fences.Has(n.Name) || len(levels) == 0 {
		return refuse(http.StatusConflict, "refused",
			"%s is %s, or being fenced, or has no fence device; it is not powered on", n.Name, n.State)
	}
	var devices []fence.Device
	for _, name := range levels[0].Devices {
		devices = append(devices, root.Document.Devices[name])
	}
	if result := s.daemon.executor.PowerOn(ctx, devices); result.Outcome != fence.Confirmed {
		return refuse(http.StatusConflict, "refused", "%s was not given power: %s", n.Name,
			strings.Join(result.Evidence, "; "))
	}
	return nil
}

// confirmFence opens the intent where none is open, listens for the node once
// more, and takes the operator's word.
func (s *server) confirmFence(ctx context.Context, n cluster.Member, asked api.FenceRequest, who caller) error {
	if n.State == cluster.NodeFenced {
		return refuse(http.StatusConflict, "refused", "%s is confirmed off already (%s); nothing was changed", n.Name, n.Why)
	}
	before := s.daemon.pulse.Heard()[n.Name].Count
	if !sleep.For(ctx, listenFor) {
		return ctx.Err()
	}
	if n.Name == s.daemon.name || s.daemon.pulse.Heard()[n.Name].Count != before {
		return refuse(http.StatusConflict, "refused",
			"%s is heard right now: a machine that shows life is not off; nothing was changed", n.Name)
	}
	word := cluster.ConfirmFence{Node: n.Name, Boot: n.Boot, By: who.Name, Why: asked.Reason}
	root := s.daemon.replica.Root()
	if root.Fences.Has(n.Name) {
		return s.proposeFence(ctx, word)
	}
	devices := len(root.Document.Nodes[n.Name].Fence) > 0
	if n.Reachable() || (devices && root.Disarmed == nil) {
		return refuse(http.StatusConflict, "refused",
			"%s is %s and not being fenced; fence it with `clusterd fence node %s --off`", n.Name, n.State, n.Name)
	}
	intent := s.intentFor(n, asked, who)
	intent.Word = devices
	return s.proposeFence(ctx, intent, word)
}

func (s *server) proposeFence(ctx context.Context, commands ...cluster.Command) error {
	applied, err := s.daemon.propose(ctx, commands...)
	if err != nil {
		return err
	}
	for _, why := range applied.Refused {
		if !why.IsZero() {
			return refuse(http.StatusConflict, "refused", "%s", why)
		}
	}
	return nil
}
