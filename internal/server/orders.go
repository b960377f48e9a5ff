package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/report"
)

// longestReason bounds what a person may write into the timeline.
const longestReason = 500

func (s *Server) lockStatus(w http.ResponseWriter, r *http.Request, _ Caller) error {
	if err := s.daemon.Newest(r.Context()); err != nil {
		return err
	}
	status := report.Lock(s.daemon.Root())
	if status == nil {
		status = &api.LockStatus{}
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// lock locks and unlocks the cluster, or stops and starts all of it.
func (s *Server) lock(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.LockRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("%.20s the cluster", asked.Op)
	if len(asked.Reason) > longestReason {
		return Refuse(http.StatusBadRequest, "bad_request", "a reason has at most %d bytes", longestReason)
	}
	var command cluster.Command
	switch asked.Op {
	case "lock", "stop":
		command = cluster.LockCluster{By: who.Name, Why: asked.Reason, Stop: asked.Op == "stop"}
	case "unlock", "start":
		command = cluster.UnlockCluster{By: who.Name, Why: asked.Reason, Start: asked.Op == "start"}
	default:
		return Refuse(http.StatusBadRequest, "bad_request", "%q is none of lock, unlock, stop, start", asked.Op)
	}
	return s.decree(w, r, command)
}

// decree proposes an administrator's command that is done once it is in the log.
func (s *Server) decree(w http.ResponseWriter, r *http.Request, command cluster.Command) error {
	if err := s.propose(r.Context(), command); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.Reply{Done: true, Text: "Success"})
	return nil
}

// view tells another node what this one has measured as the leader.
func (s *Server) view(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	_, seen, leads := s.daemon.Sight()
	if !leads {
		return Refuse(http.StatusServiceUnavailable, "no_leader", "%s does not lead the cluster", s.name)
	}
	writeJSON(w, http.StatusOK, seen)
	return nil
}

// ground is what an answer of the planner rests on: a State, and what the leader has measured, so
// that the answer has the reasons by which the leader acts. A node that does not lead asks for
// them, and waits until its State is as new as the leader's. Where the leader does not answer,
// there is the State here alone, and the remark says so.
func (s *Server) ground(ctx context.Context) (*cluster.State, cluster.View, api.Ground) {
	name, leader := s.name, s.daemon.Leader()
	root, seen, leads := s.daemon.Sight()
	if leads {
		return root, seen.View, api.Ground{Leader: name, AsOf: seen.At}
	}
	why := "No leader is known to " + name + "."
	switch leader {
	case "":
	case name:
		why = name + " has only begun to lead the cluster."
	default:
		var err error
		if root, seen, err = s.sightOf(ctx, leader); err == nil {
			return root, seen.View.On(root, 0), api.Ground{Leader: leader, AsOf: seen.At}
		}
		why = fmt.Sprintf("The leader %s could not be asked: %v.", leader, err)
	}
	why += " This is worked out from the State of " + name + " alone, and may lack what the leader knows."
	return root, cluster.View{Self: name}, api.Ground{Remark: why}
}

// sightOf asks the leader what it has measured.
func (s *Server) sightOf(ctx context.Context, leader string) (*cluster.State, api.Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, progressAsk)
	defer cancel()
	var seen api.Sight
	if err := s.askLeader(ctx, leader, api.PathView, &seen); err != nil {
		return s.daemon.Root(), seen, err
	}
	root, err := s.reaching(ctx, seen.Index)
	return root, seen, err
}

// reaching waits for a State of this index or a newer one.
func (s *Server) reaching(ctx context.Context, index uint64) (*cluster.State, error) {
	for {
		changed := s.daemon.Changed()
		root := s.daemon.Root()
		if root.Index >= index {
			return root, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return root, fmt.Errorf("the State here is at index %d, the leader's at %d", root.Index, index)
		}
	}
}

// why explains where a service is and where it would be started now.
func (s *Server) why(w http.ResponseWriter, r *http.Request, who Caller) error {
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(r.Context())
	explanation, err := plan.Explain(root, view, r.PathValue("name"))
	if err != nil {
		return Refuse(http.StatusNotFound, "unknown_service", "%v", err)
	}
	writeJSON(w, http.StatusOK, api.Explanation{Explanation: explanation, Ground: ground})
	return nil
}

// rehearse tells what would come of a request, by the rules that would decide it.
func (s *Server) rehearse(w http.ResponseWriter, r *http.Request, who Caller, ask cluster.Ask) error {
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(r.Context())
	if why := cluster.Premature(root, []cluster.Command{ask}); !why.IsZero() {
		return Refuse(http.StatusConflict, "refused", "%s", why)
	}
	reply := api.Rehearsal{Rehearsal: rehearse.Rehearse(root, view, ask), Ground: ground}
	if ask.Op == cluster.OpMigrate && reply.Refused.IsZero() && reply.Code == cluster.CodeSuccess {
		reply.Foresight = s.foreseen(r.Context(), root, ask)
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// foresightPatience is how long source and target may take for what they have to say of a live
// move: the one measures for some seconds, the other opens images.
const foresightPatience = 15 * time.Second

// foreseen asks source and target of a live move, at the same time.
func (s *Server) foreseen(ctx context.Context, root *cluster.State, ask cluster.Ask) *api.Foresight {
	service, _ := root.Services.Get(ask.Service)
	asked := api.ForesightQuery{Service: ask.Service, Target: ask.Node,
		Migration: service.Spec.Migration.With(ask.Migration)}
	ctx, cancel := context.WithTimeout(ctx, foresightPatience)
	defer cancel()
	ends := []string{service.Owner, ask.Node}
	said := make([]api.Foresight, len(ends))
	var asking sync.WaitGroup
	for i, node := range ends {
		asking.Go(func() { said[i] = s.foreseenBy(ctx, root, node, asked) })
	}
	asking.Wait()
	both := said[1]
	both.Forecast = said[0].Forecast
	both.Silent = strings.Join(slices.DeleteFunc([]string{said[0].Silent, said[1].Silent},
		func(text string) bool { return text == "" }), "; ")
	return &both
}

// foreseenBy asks one node.
func (s *Server) foreseenBy(ctx context.Context, root *cluster.State, node string,
	asked api.ForesightQuery) api.Foresight {
	if node == s.name {
		return s.daemon.Foresee(ctx, asked)
	}
	n, known := root.Nodes.Get(node)
	if !known {
		return api.Foresight{Silent: "no node runs it"}
	}
	var said api.Foresight
	if err := s.daemon.Ask(ctx, node, n.Address, http.MethodPost, api.PathForesight, asked, &said); err != nil {
		return api.Foresight{Silent: node + " does not say: " + err.Error()}
	}
	return said
}

// foresight answers for this node alone.
func (s *Server) foresight(w http.ResponseWriter, r *http.Request, _ Caller) error {
	var asked api.ForesightQuery
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), foresightPatience)
	defer cancel()
	writeJSON(w, http.StatusOK, s.daemon.Foresee(ctx, asked))
	return nil
}

// orderOf makes the command of an order, or of its end.
func orderOf(asked api.NodeRequest, who Caller) cluster.OrderNode {
	c := cluster.OrderNode{Node: asked.Node, Order: cluster.OrderKind(asked.Op), By: who.Name, Why: asked.Reason,
		Within: asked.Within}
	if asked.Op == "return" {
		c.Order = ""
	}
	return c
}

// drainPlan tells what an order would do to the services of a node.
func (s *Server) drainPlan(w http.ResponseWriter, r *http.Request, who Caller) error {
	within, err := time.ParseDuration(r.URL.Query().Get("within"))
	if err != nil && r.URL.Query().Get("within") != "" {
		return Refuse(http.StatusBadRequest, "bad_request", "within: %v", err)
	}
	order := r.URL.Query().Get("order")
	if root := s.daemon.Root(); !root.Nodes.Has(r.PathValue("name")) {
		return noNode(root, r.PathValue("name"))
	}
	command := cluster.OrderNode{Node: r.PathValue("name"), Order: cluster.OrderKind(order), By: who.Name, Within: within}
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(r.Context())
	steps, err := rehearse.DrainPlan(root, view, command)
	if err != nil {
		return Refuse(http.StatusConflict, "refused", "%v", err)
	}
	writeJSON(w, http.StatusOK, api.DrainReply{Node: command.Node, Order: order, Steps: steps, Ground: ground})
	return nil
}

// haltPlan tells in which order everything would be stopped.
func (s *Server) haltPlan(w http.ResponseWriter, r *http.Request, who Caller) error {
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(r.Context())
	events, notes := rehearse.RehearseStop(root, view, who.Name)
	writeJSON(w, http.StatusOK, api.HaltReply{Events: events, Notes: notes, Ground: ground})
	return nil
}
