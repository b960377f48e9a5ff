package daemon

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
func (s *server) fenceStatus(w http.ResponseWriter, r *http.Request, who caller) error {
	d := s.daemon
	root := d.replica.Root()
	asked := report.FenceAnswers{d.name: d.lastChecks(root)}
	if who.kind != pki.KindNode {
		d.gatherChecks(r.Context(), asked)
	}
	status := api.FenceStatus{At: time.Now(), Disarmed: root.Disarmed, Drill: root.Drill, Nodes: []api.FenceNode{}}
	for _, name := range root.Nodes.Keys() {
		status.Nodes = append(status.Nodes, report.FenceNode(root, name, asked))
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// lastChecks is what each device last answered this node.
func (d *Daemon) lastChecks(root *cluster.State) map[string]api.FenceCheck {
	last := map[string]api.FenceCheck{}
	for name := range root.Document.Devices {
		if answer, asked := d.executor.LastCheck(name); asked {
			last[name] = api.FenceCheck{By: d.name, Power: string(answer.Check.Power), Problem: answer.Check.Problem,
				OldLogin: answer.OldLogin, Asked: answer.At}
		}
	}
	return last
}

// gatherChecks asks the other nodes, all at once. One that does not answer is
// left out: what it said last is in the State.
func (d *Daemon) gatherChecks(ctx context.Context, asked report.FenceAnswers) {
	ctx, cancel := context.WithTimeout(ctx, checkedAsk)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for node, address := range d.peers() {
		group.Go(func() {
			var theirs api.FenceStatus
			if d.ask(ctx, node, address, http.MethodGet, api.PathFence, nil, &theirs) != nil {
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
func (s *server) fenceHistory(w http.ResponseWriter, r *http.Request, _ caller) error {
	root, node := s.daemon.replica.Root(), r.URL.Query().Get("node")
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
