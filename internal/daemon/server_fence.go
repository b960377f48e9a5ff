package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
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
	if err := s.daemon.log.Verify(r.Context()); err != nil {
		return err
	}
	n, known := s.daemon.replica.Root().Nodes.Get(asked.Node)
	if !known {
		return refuse(http.StatusNotFound, "unknown_node", "there is no node %s", asked.Node)
	}
	var err error
	switch asked.Op {
	case "off", "drill":
		err = s.openFence(r.Context(), n, asked, who)
	case "on":
		err = s.powerOn(r.Context(), n)
	case "confirm":
		err = s.confirmFence(r.Context(), n, asked, who)
	default:
		return refuse(http.StatusBadRequest, "bad_request", "%q is no way to fence a node", asked.Op)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: "Success"})
	return nil
}

// openFence puts the intent into the log; the attempts follow from it.
func (s *server) openFence(ctx context.Context, n cluster.Member, asked api.FenceRequest, who caller) error {
	fencer := s.daemon.role.Load().leader
	if fencer == n.Name {
		for _, name := range sortedNames(s.daemon.peers()) {
			if other, _ := s.daemon.replica.Root().Nodes.Get(name); name != n.Name && other.Reachable() {
				fencer = name
			}
		}
	}
	why := "asked by " + who.Name
	if asked.Reason != "" {
		why += ": " + asked.Reason
	}
	return s.proposeFence(ctx, cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: fencer, Why: why, By: who.Name, Override: true, Drill: asked.Op == "drill", Level: asked.Level})
}

// powerLimit bounds one request for power.
const powerLimit = 30 * time.Second

// powerOn asks every device of a node's first level for power. Best effort:
// nothing depends on it, and the node's new boot tells whether it worked.
func (s *server) powerOn(ctx context.Context, n cluster.Member) error {
	root := s.daemon.replica.Root()
	levels := root.Document.Nodes[n.Name].Fence
	if n.Reachable() || root.Fences.Has(n.Name) || len(levels) == 0 {
		return refuse(http.StatusConflict, "refused", "%s is %s, or being fenced, or has no fence device; it is not powered on", n.Name, n.State)
	}
	ctx, cancel := context.WithTimeout(ctx, powerLimit)
	defer cancel()
	for _, name := range levels[0].Devices {
		device := root.Document.Devices[name]
		driver, known := s.daemon.drivers[device.Driver]
		if !known {
			return refuse(http.StatusConflict, "refused", "this clusterd has no fence driver %s", device.Driver)
		}
		if err := driver.PowerOn(ctx, device); err != nil {
			return refuse(http.StatusConflict, "refused", "fence device %s did not give %s power: %v", name, n.Name, err)
		}
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
	if !sleep(ctx, listenFor) {
		return ctx.Err()
	}
	if n.Name == s.daemon.name || s.daemon.pulse.Heard()[n.Name].Count != before {
		return refuse(http.StatusConflict, "refused", "%s is heard right now: a machine that shows life is not off; nothing was changed", n.Name)
	}
	if !s.daemon.replica.Root().Fences.Has(n.Name) {
		if n.Reachable() || len(s.daemon.replica.Root().Document.Nodes[n.Name].Fence) > 0 {
			return refuse(http.StatusConflict, "refused", "%s is %s and not being fenced; fence it with `clusterd fence node %s --off`", n.Name, n.State, n.Name)
		}
		if err := s.openFence(ctx, n, asked, who); err != nil {
			return err
		}
	}
	return s.proposeFence(ctx, cluster.ConfirmFence{Node: n.Name, Boot: n.Boot, By: who.Name, Why: asked.Reason})
}

func (s *server) proposeFence(ctx context.Context, command cluster.Command) error {
	applied, err := s.daemon.propose(ctx, command)
	if err != nil {
		return err
	}
	if why := applied.Refused[0]; why != "" {
		return refuse(http.StatusConflict, "refused", "%s", why)
	}
	return nil
}
