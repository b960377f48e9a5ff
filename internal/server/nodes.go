package server

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// token makes a join token; the cluster keeps only the hash of its secret.
func (s *Server) token(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.TokenRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("make a join token, replacing %.64q", asked.Replace)
	root := s.heldRoot(r.Context())
	if asked.Replace != "" && !root.Nodes.Has(asked.Replace) {
		return noNode(root, asked.Replace)
	}
	if why := rules.MayReplace(root, asked.Replace); asked.Replace != "" && !why.IsZero() {
		return Refuse(http.StatusConflict, "refused", "%s", why)
	}
	ca, err := s.daemon.Authority(root)
	if err != nil {
		return err
	}
	if asked.Validity == 0 {
		asked.Validity = pki.TokenLife
	}
	addresses, peers := []string{s.options.Address}, s.daemon.Peers()
	for _, node := range sortedNames(peers) {
		addresses = append(addresses, peers[node])
	}
	if len(addresses) > 3 {
		addresses = addresses[:3]
	}
	token, stored, err := pki.NewToken(root.ID, ca.Pin(), addresses, time.Now(), asked.Validity)
	if err != nil {
		return Refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	command := cluster.AddToken{ID: token.ID, Token: cluster.Token{Hash: stored.SecretHash, Expires: stored.ExpiresAt,
		Replace: asked.Replace, By: who.Name}}
	if err := s.order(r.Context(), command); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.TokenReply{Text: token.Text(), Expires: stored.ExpiresAt})
	return nil
}

// join takes a machine in that shows a token: the secret is verified here, the
// token is used up in the log, and only then a certificate is signed.
func (s *Server) join(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.JoinRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("join as node %.64q", asked.Node)
	// The token comes first: who guesses costs nothing but this look.
	if _, err := s.tokenShown(r.Context(), asked); err != nil {
		s.noteGuess(r.Context(), who)
		return err
	}
	if err := s.daemon.Newest(r.Context()); err != nil {
		return err
	}
	root := s.daemon.Root()
	if passed, err := s.joinAtLeader(w, r, root, asked); passed || err != nil {
		return err
	}
	token, err := s.tokenShown(r.Context(), asked) // it may have been used up meanwhile
	if err != nil {
		return err
	}
	reply, err := s.daemon.Join(r.Context(), root, asked, token)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// noteGuess remembers who showed a token that is none. A node that passes one on is no stranger.
func (s *Server) noteGuess(ctx context.Context, who Caller) {
	if ctx.Err() == nil && who.Kind == pki.KindJoiner {
		s.daemon.NoteGuess(who.From)
	}
}

// tokenPatience is how long a token is waited for that this node does not know, since its log may
// be a moment behind the node that made it. Nobody is asked for it.
const tokenPatience = time.Second

// tokenShown finds the token that a joining machine shows, and checks its secret.
func (s *Server) tokenShown(ctx context.Context, asked api.JoinRequest) (cluster.Token, error) {
	secret, err := base64.RawURLEncoding.DecodeString(asked.Secret)
	if err != nil {
		return cluster.Token{}, Refuse(http.StatusBadRequest, "bad_request", "the secret cannot be read")
	}
	deadline := time.NewTimer(tokenPatience)
	defer deadline.Stop()
	for {
		changed := s.daemon.Changed()
		root := s.daemon.Root()
		token, known := root.Tokens.Get(asked.TokenID)
		if known {
			stored := pki.Stored{ID: asked.TokenID, SecretHash: token.Hash, ExpiresAt: token.Expires}
			if err := stored.Verify(secret, membership.SigningPin(root), time.Now()); err != nil {
				return cluster.Token{}, Refuse(http.StatusForbidden, "bad_token", "%v", err)
			}
			return token, nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return cluster.Token{}, Refuse(http.StatusForbidden, "bad_token", "%v", pki.ErrTokenUnknown)
		case <-ctx.Done():
			return cluster.Token{}, ctx.Err()
		}
	}
}

// joinAtLeader passes the join of a replacement on to the leader, which alone may
// change the log's members. It reports whether the answer was given.
func (s *Server) joinAtLeader(w http.ResponseWriter, r *http.Request, root *cluster.State,
	asked api.JoinRequest) (bool, error) {
	leader := s.daemon.Leader()
	if token, known := root.Tokens.Get(asked.TokenID); !known || token.Replace == "" || leader == s.name {
		return false, nil
	}
	n, known := root.Nodes.Get(leader)
	if !known {
		return true, quorum.ErrNoLeader
	}
	var reply api.JoinReply
	if err := s.daemon.Ask(r.Context(), leader, n.Address, http.MethodPost, api.PathJoin, asked, &reply); err != nil {
		return true, err
	}
	writeJSON(w, http.StatusOK, reply)
	return true, nil
}

// nodes removes a node, or lets it leave.
func (s *Server) nodes(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.NodeRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("node %.20s %.64q", asked.Op, asked.Node)
	var command cluster.Command
	switch asked.Op {
	case "remove", "leave", "address":
		// These change who is a member, or what the cluster may count on.
		if !who.Role.Includes(pki.RoleAdmin) {
			return notEnough(pki.RoleAdmin)
		}
		if who.Kind == pki.KindVisitor {
			return Refuse(http.StatusForbidden, "permission_denied", "Permission denied: the page does not change who is a "+
				"member; use `clusterd node` on a node, or with a certificate")
		}
	}
	switch asked.Op {
	case "remove":
		command = cluster.RemoveNode{Node: asked.Node, By: who.Name, Why: asked.Reason}
	case "address":
		command = readdressOf(s.daemon.Root(), asked.Node, asked.Address, who.Name)
	case "leave":
		command = cluster.Leave{Node: asked.Node, By: who.Name}
	case string(cluster.OrderStandby), string(cluster.OrderDrain), string(cluster.OrderMaintenance), "return":
		command = orderOf(asked, who)
	default:
		return Refuse(http.StatusBadRequest, "bad_request", "%q is no operation on a node", asked.Op)
	}
	refused, err := s.daemon.Propose(r.Context(), command)
	if err != nil {
		return err
	}
	if root := s.daemon.Root(); !refused[0].IsZero() && !root.Nodes.Has(asked.Node) {
		return noNode(root, asked.Node)
	}
	if why := refused[0]; !why.IsZero() {
		return Refuse(http.StatusConflict, "refused", "%s", why)
	}
	reply := api.Reply{ID: asked.ID, Done: true, Text: "Success"}
	if root := s.daemon.Root(); asked.Op == "remove" {
		reply.Why = message.Words(s.daemon.KeysLeft(root, asked.Node))
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// readdressOf makes a person's command: a host or an address alone keeps the port.
func readdressOf(root *cluster.State, node, address, by string) cluster.SetAddress {
	n, _ := root.Nodes.Get(node)
	if _, _, err := net.SplitHostPort(address); err != nil {
		if _, port, err := net.SplitHostPort(n.Address); err == nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), port)
		}
	}
	return cluster.SetAddress{Node: node, Address: address, By: by}
}

// A daemon that has just started answers the tools before it has read its log.
const (
	heldPatience = 10 * time.Second
	heldPause    = 50 * time.Millisecond
)

// heldRoot is the State of a node that holds the cluster's; of one that has only just started it is
// waited for. After that time it is as it is, and who needs more says so.
func (s *Server) heldRoot(ctx context.Context) *cluster.State {
	for waited := time.Duration(0); ; waited += heldPause {
		root := s.daemon.Root()
		if root.Secrets.Authority != "" || waited >= heldPatience || !sleep.For(ctx, heldPause) {
			return root
		}
	}
}
