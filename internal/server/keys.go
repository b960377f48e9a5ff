package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/report"
)

// keys changes a key of the cluster.
func (s *Server) keys(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.KeysRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("keys: %.20s", asked.Op)
	switch asked.Op {
	case api.RotateGossip:
		if err := s.daemon.Rekey(r.Context(), who.Name,
			message.Words(asked.Reason).OrElse(message.DataKeyAskedFor.With())); err != nil {
			return err
		}
		text := fmt.Sprintf("Success: data key %d is in force", s.daemon.Root().Secrets.Epoch)
		writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: text})
		return nil
	}
	if asked.Op == api.RotateNode || asked.Op == api.AbortNode {
		return s.nodeKeyReply(w, r, who, asked)
	}
	if asked.Op == api.RotateAuthority || asked.Op == api.AbortAuthority || asked.Op == api.AuthorityStatus {
		return s.authorityReply(w, r, who, asked)
	}
	return Refuse(http.StatusBadRequest, "bad_request", "%q is no operation on keys", asked.Op)
}

// turnPatience bounds how long a request waits for the end of a turn.
const turnPatience = 15 * time.Second

// rotateNodeKey orders a node to make itself a new key, and waits a while for the end of it.
func (s *Server) rotateNodeKey(ctx context.Context, asked api.KeysRequest, by string) (string, error) {
	before, known := s.daemon.Root().Nodes.Get(asked.Node)
	if !known {
		return "", noNode(s.daemon.Root(), asked.Node)
	}
	command := cluster.RotateKey{Node: asked.Node, By: by, Why: asked.Reason, Anyway: asked.Anyway}
	if err := s.order(ctx, command); err != nil {
		return "", err
	}
	deadline := time.NewTimer(turnPatience)
	defer deadline.Stop()
	for {
		changed := s.daemon.Changed()
		root := s.daemon.Root()
		switch n, known := root.Nodes.Get(asked.Node); {
		case !known:
			return "", Refuse(http.StatusConflict, "refused", "%s was removed meanwhile, with its keys", asked.Node)
		case n.KeyTurn == nil && n.Fingerprint == before.Fingerprint:
			return "", Refuse(http.StatusConflict, "refused", "the order to give %s a new key was taken back; %s",
				asked.Node, report.KeyOf(root, asked.Node))
		case n.KeyTurn == nil:
			return "Success: " + report.KeyOf(root, asked.Node), nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return "It goes on by itself.\n" + report.Keys(root), nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// nodeKeyReply answers an operation on a node's key.
func (s *Server) nodeKeyReply(w http.ResponseWriter, r *http.Request, who Caller, asked api.KeysRequest) error {
	who.about("keys: %.20s of %.64q", asked.Op, asked.Node)
	text, err := "", error(nil)
	switch asked.Op {
	case api.RotateNode:
		text, err = s.rotateNodeKey(r.Context(), asked, who.Name)
	case api.AbortNode:
		err = s.order(r.Context(), cluster.AbortKey{Node: asked.Node, By: who.Name})
		text = "Success: " + report.KeyOf(s.daemon.Root(), asked.Node)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: text})
	return nil
}

// authorityReply answers an operation on the authority.
func (s *Server) authorityReply(w http.ResponseWriter, r *http.Request, who Caller, asked api.KeysRequest) error {
	switch asked.Op {
	case api.RotateAuthority:
		if err := s.daemon.RotateAuthority(r.Context(), who.Name, asked.Reason); err != nil {
			return err
		}
	case api.AbortAuthority:
		if err := s.order(r.Context(), cluster.AbortAuthority{By: who.Name}); err != nil {
			return err
		}
	}
	root := s.daemon.Root()
	text := report.Authority(root)
	if asked.Op == api.AuthorityStatus {
		text += "\n" + report.Keys(root)
	}
	writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: text})
	return nil
}
