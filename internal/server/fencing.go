package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/report"
)

// checkedAsk bounds the question to the other nodes when they last checked.
const checkedAsk = 2 * time.Second

// fenceStatus tells per node how it could be fenced. What entered the log is
// known here; when each node last asked its devices, only that node knows.
func (s *Server) fenceStatus(w http.ResponseWriter, r *http.Request, who Caller) error {
	root := s.daemon.Root()
	asked := report.FenceAnswers{s.name: s.daemon.LastChecks(root)}
	if who.Kind != pki.KindNode {
		s.gatherChecks(r.Context(), asked)
	}
	status := api.FenceStatus{At: time.Now(), Disarmed: root.Disarmed, Drill: root.Drill, Nodes: []api.FenceNode{}}
	for _, name := range root.Nodes.Keys() {
		status.Nodes = append(status.Nodes, report.FenceNode(root, name, asked))
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// gatherChecks asks the other nodes, all at once. One that does not answer is
// left out: what it said last is in the State.
func (s *Server) gatherChecks(ctx context.Context, asked report.FenceAnswers) {
	ctx, cancel := context.WithTimeout(ctx, checkedAsk)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for node, address := range s.daemon.Peers() {
		group.Go(func() {
			var theirs api.FenceStatus
			if s.daemon.Ask(ctx, node, address, http.MethodGet, api.PathFence, nil, &theirs) != nil {
				return
			}
			last := map[string]api.FenceCheck{}
			for _, n := range theirs.Nodes {
				for _, device := range n.Devices {
					for _, check := range device.Checks {
						if check.By == node && !check.Asked.IsZero() {
							last[device.Name] = check
						}
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			asked[node] = last
		})
	}
	group.Wait()
}

// fenceHistory lists the fence intents that were closed.
func (s *Server) fenceHistory(w http.ResponseWriter, r *http.Request, _ Caller) error {
	root, node := s.daemon.Root(), r.URL.Query().Get("node")
	if node != "" && !root.Nodes.Has(node) && len(root.FenceHistory) == 0 {
		return noNode(root, node)
	}
	history := api.FenceHistory{Records: []cluster.FenceRecord{}}
	for _, record := range root.FenceHistory {
		if node == "" || record.Node == node {
			history.Records = append(history.Records, record)
		}
	}
	writeJSON(w, http.StatusOK, history)
	return nil
}

// fenceByHand cuts a node's power, or takes an operator's word that it is off.
func (s *Server) fenceByHand(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.FenceRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("fence: %.20s %.64s", asked.Op, asked.Node)
	if err := s.daemon.Newest(r.Context()); err != nil {
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
func (s *Server) fenceOp(ctx context.Context, asked api.FenceRequest, who Caller) error {
	switch asked.Op {
	case api.FenceDisarm:
		return s.propose(ctx, cluster.Disarm{For: asked.For, By: who.Name, Why: asked.Reason})
	case api.FenceArm:
		return s.propose(ctx, cluster.Arm{By: who.Name})
	}
	n, known := s.daemon.Root().Nodes.Get(asked.Node)
	if !known {
		return noNode(s.daemon.Root(), asked.Node)
	}
	if asked.Op == api.FenceTest {
		return s.propose(ctx, cluster.BeginDrill{Node: n.Name, Level: asked.Level, By: who.Name})
	}
	return s.daemon.Fence(ctx, n, asked, who.Name)
}
