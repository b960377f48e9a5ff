package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// doctorLimit bounds the examination of one node.
const doctorLimit = 8 * time.Second

// doctor examines this node and, unless it was asked by one, all others.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request, who Caller) error {
	if who.Kind != pki.KindNode {
		s.awaitFirstChecks(r.Context())
	}
	ctx, cancel := context.WithTimeout(r.Context(), doctorLimit)
	defer cancel()
	report := api.Report{At: time.Now(), Findings: s.daemon.Examine(ctx)}
	if who.Kind != pki.KindNode {
		report.Findings = append(report.Findings, s.daemon.ExamineOthers(ctx)...)
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}

// firstCheckPatience is how long a look at the cluster waits for devices that were
// declared just now: the leader asks them at once, and a BMC takes its time.
const firstCheckPatience = 8 * time.Second

func (s *Server) awaitFirstChecks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstCheckPatience)
	defer cancel()
	for {
		root, missing := s.daemon.Root(), false
		for device := range root.Document.Devices {
			missing = missing || !root.Checks.Has(device)
		}
		if !missing || s.daemon.Leader() == "" || !sleep.For(ctx, heldPause) {
			return
		}
	}
}

// whatIf tells what would become of the services if hosts were lost or a node were emptied.
func (s *Server) whatIf(w http.ResponseWriter, r *http.Request, who Caller) error {
	down, drain := r.URL.Query()["down"], r.URL.Query().Get("drain")
	root, view, ground := s.ground(r.Context())
	for _, name := range append(slices.Clone(down), drain) {
		if name != "" && !root.Nodes.Has(name) {
			return noNode(root, name)
		}
	}
	if (len(down) == 0) == (drain == "") {
		return Refuse(http.StatusBadRequest, "bad_request", "name the hosts that are down, or one node to drain")
	}
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	what, err := rehearse.WhatIf(root, view, down, drain)
	if err != nil {
		return Refuse(http.StatusConflict, "refused", "%v", err)
	}
	reply := api.WhatIfReply{WhatIf: what, Ground: ground, Alone: rules.TwoNodesVote(root)}
	voters := s.voters()
	reply.Voters, reply.Votes = len(voters), votesWithout(voters, down)
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// whatIfDocument tells what would become of the services if a document were put into force.
func (s *Server) whatIfDocument(w http.ResponseWriter, r *http.Request, who Caller) error {
	var change api.ConfigChange
	if err := readJSON(r, &change); err != nil {
		return err
	}
	root, view, ground := s.ground(r.Context())
	parsed, err := config.Parse("document", []byte(change.Text), nil, &root.Document)
	if err != nil {
		return Faulty(err)
	}
	if err := baseIs(root, change.Base); err != nil {
		return err
	}
	command, err := s.daemon.Seal(root, parsed)
	if err != nil {
		return err
	}
	command.By = who.Name
	if err := fitsEntry(command); err != nil {
		return err
	}
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	reply := api.WhatIfReply{Ground: ground, Alone: rules.TwoNodesVote(root),
		Plan: planOf(root.Document, command.Document, nil).Plan, WhatIf: cluster.WhatIf{Steps: []cluster.WhatIfStep{}},
		Refused: cluster.Premature(root, []cluster.Command{command})}
	if reply.Refused.IsZero() {
		if reply.WhatIf, reply.Refused, err = rehearse.WhatIfDocument(root, view, command); err != nil {
			return Refuse(http.StatusConflict, "too_large", "%v", err)
		}
	}
	reply.Voters = len(s.voters())
	reply.Votes = reply.Voters
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// voters are the nodes whose vote counts.
func (s *Server) voters() (names []string) {
	for _, n := range s.daemon.Status(time.Now()).Nodes {
		if n.Voter {
			names = append(names, n.Name)
		}
	}
	return names
}

func votesWithout(voters, lost []string) (votes int) {
	for _, name := range voters {
		if !slices.Contains(lost, name) {
			votes++
		}
	}
	return votes
}

// reserveTime bounds the search for hosts that may not be lost.
const reserveTime = 8 * time.Second

// reserveAge is how long an answer is given again while the State is the same: what the leader has
// measured since may say otherwise.
const reserveAge = 10 * time.Second

// reserves are the last answers, by how many hosts were asked about. Every page that is open and
// every monitoring system asks the same, and an answer takes a plan for each set of hosts.
type reserves struct {
	mu   sync.Mutex
	last map[int]reserved
}

type reserved struct {
	index uint64
	at    time.Time
	reply api.ReserveReply
}

// reserve tells how many hosts may be lost at once.
func (s *Server) reserve(w http.ResponseWriter, r *http.Request, who Caller) error {
	hosts, err := strconv.Atoi(r.URL.Query().Get("hosts"))
	if err != nil || hosts < 1 || hosts > rehearse.MostLost {
		return Refuse(http.StatusBadRequest, "bad_request", "hosts: write a number from 1 to %d", rehearse.MostLost)
	}
	if reply, known := s.reserves.get(hosts, s.daemon.Root().Index, time.Now()); known {
		writeJSON(w, http.StatusOK, reply)
		return nil
	}
	done, err := s.shares.think(r.Context(), who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(r.Context())
	voters, alone := s.voters(), rules.TwoNodesVote(root)
	votes := func(lost []string) bool { return alone || 2*votesWithout(voters, lost) > len(voters) }
	until := time.Now().Add(reserveTime)
	more := func() bool { return r.Context().Err() == nil && time.Now().Before(until) }
	reply := api.ReserveReply{Reserve: rehearse.Reserve(root, view, hosts, votes, more), Ground: ground}
	if r.Context().Err() == nil { // else it was cut short
		s.reserves.keep(hosts, reserved{root.Index, time.Now(), reply})
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// get returns an answer that may be given again.
func (k *reserves) get(hosts int, index uint64, now time.Time) (api.ReserveReply, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.last[hosts]
	return last.reply, last.index == index && !last.at.IsZero() && now.Sub(last.at) < reserveAge
}

func (k *reserves) keep(hosts int, answer reserved) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		k.last = map[int]reserved{}
	}
	k.last[hosts] = answer
}
