package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/report"
)

func (s *Server) status(w http.ResponseWriter, r *http.Request, who Caller) error {
	if r.URL.Query().Get("fresh") == "1" {
		if err := s.daemon.Newest(r.Context()); err != nil {
			return err
		}
	}
	status := s.daemon.Status(time.Now())
	if who.Kind != pki.KindNode && status.Leader != "" && status.Leader != status.Local {
		status.Notes = s.leadersNotes(r.Context(), status.Leader)
	}
	if r.URL.Query().Get("next") == "1" {
		status = report.WithNext(s.daemon.Root(), status)
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// leadersNotes asks the leader what is waited for: only who plans knows that.
func (s *Server) leadersNotes(ctx context.Context, leader string) []cluster.Note {
	ctx, cancel := context.WithTimeout(ctx, progressAsk)
	defer cancel()
	var theirs api.Status
	if err := s.askLeader(ctx, leader, api.PathStatus, &theirs); err != nil {
		return []cluster.Note{{Subject: leader, Why: message.LeaderUnasked.With()}}
	}
	return theirs.Notes
}

// askLeader asks the leader for what only the node that plans knows.
func (s *Server) askLeader(ctx context.Context, leader, path string, into any) error {
	n, known := s.daemon.Root().Nodes.Get(leader)
	if !known {
		return errors.New("the State here does not know " + leader)
	}
	return s.daemon.Ask(ctx, leader, n.Address, http.MethodGet, path, nil, into)
}

func choiceOf(r *http.Request) report.Choice {
	query := r.URL.Query()
	return report.Choice{Service: query.Get("service"), Node: query.Get("node"), Code: query.Get("code")}
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, who Caller) error {
	if strings.Contains(r.Header.Get("Accept"), streamType) {
		return s.stream(w, r, who)
	}
	query := r.URL.Query()
	after, _ := strconv.ParseUint(query.Get("after"), 10, 64)
	limit, _ := strconv.Atoi(query.Get("limit"))
	deadline := time.NewTimer(waitOf(r))
	defer deadline.Stop()
	for {
		changed := s.daemon.Changed()
		page := report.Events(s.daemon.Root(), after, limit, choiceOf(r))
		if len(page.Events) > 0 || waitOf(r) == 0 {
			writeJSON(w, http.StatusOK, page)
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			writeJSON(w, http.StatusOK, page)
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func (s *Server) moves(w http.ResponseWriter, r *http.Request, _ Caller) error {
	query := r.URL.Query()
	writeJSON(w, http.StatusOK, report.Moves(s.daemon.Root(), query.Get("service"), query.Get("node")))
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, _ Caller) error {
	s.daemon.Metrics().ServeHTTP(w, r)
	return nil
}

func waitOf(r *http.Request) time.Duration {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil || wait < 0 {
		return 0
	}
	return min(wait, longestWait)
}

// request takes an administrator's wish in. Once answered it is in the log
// (law L7); the same id again is answered with its state.
func (s *Server) request(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.Request
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.ID == "" || len(asked.ID) > 64 || len(asked.Reason) > 500 {
		return Refuse(http.StatusBadRequest, "bad_request",
			"a request needs an id of at most 64 bytes and a reason of at most 500")
	}
	ask := cluster.Ask{Request: asked.ID, Op: asked.Op, Service: asked.Service, Node: asked.Node, By: who.Name,
		Reason: asked.Reason, For: asked.For, DeclaredDisks: asked.DeclaredDisks,
		Migration: asked.Migration}
	who.about("%.20s %.100q %.64s", asked.Op, asked.Service, asked.Node)
	if asked.DryRun {
		who.about(notKept)
		return s.rehearse(w, r, who, ask)
	}
	if err := s.order(r.Context(), ask); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.reply(s.daemon.Root(), asked.ID))
	return nil
}

func (s *Server) requestState(w http.ResponseWriter, r *http.Request, who Caller) error {
	id := r.PathValue("id")
	deadline := time.NewTimer(waitOf(r))
	defer deadline.Stop()
	for {
		changed := s.daemon.Changed()
		root := s.daemon.Root()
		request, known := root.Requests.Get(id)
		if !known {
			if err := s.daemon.Newest(r.Context()); err != nil {
				return err
			}
			root = s.daemon.Root()
			if request, known = root.Requests.Get(id); !known {
				return Refuse(http.StatusNotFound, "unknown_request",
					"no request %s is known; it was not taken in, or is too old", id)
			}
		}
		if request.Done || waitOf(r) == 0 {
			writeJSON(w, http.StatusOK, s.withProgress(r.Context(), root, s.reply(root, id), who))
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			writeJSON(w, http.StatusOK, s.withProgress(r.Context(), root, s.reply(root, id), who))
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func (s *Server) reply(root *cluster.State, id string) api.Reply {
	request, _ := root.Requests.Get(id)
	reply := api.Reply{ID: id, Done: request.Done, Code: request.Code, Text: request.Text, Owner: request.Owner,
		Why: request.Why, Total: request.Total, Downtime: request.Downtime}
	if !request.Done {
		reply.Progress = s.daemon.Progress(request.Service)
	}
	return reply
}

// progressAsk bounds the question for a progress that only another node knows.
const progressAsk = 300 * time.Millisecond

// withProgress fills in how far a migration is that another node carries out.
func (s *Server) withProgress(ctx context.Context, root *cluster.State, reply api.Reply, who Caller) api.Reply {
	request, _ := root.Requests.Get(reply.ID)
	service, known := root.Services.Get(request.Service)
	if known && !reply.Done && reply.Progress == nil {
		reply.Progress = report.Preparing(service)
	}
	if reply.Done || reply.Progress != nil || !known || service.Intent == nil ||
		service.Intent.Kind != cluster.IntentMigrate || who.Kind == pki.KindNode {
		return reply
	}
	source, known := root.Nodes.Get(service.Intent.Node)
	if !known || source.Name == s.name {
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, progressAsk)
	defer cancel()
	var theirs api.Reply
	if err := s.daemon.Ask(ctx, source.Name, source.Address, http.MethodGet, api.PathRequests+"/"+reply.ID, nil,
		&theirs); err == nil {
		reply.Progress = theirs.Progress
	}
	return reply
}
