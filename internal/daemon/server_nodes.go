package daemon

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// token makes a join token; the cluster keeps only the hash of its secret.
func (s *server) token(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.TokenRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("make a join token, replacing %.64q", asked.Replace)
	d := s.daemon
	root := d.heldRoot(r.Context())
	if asked.Replace != "" && !root.Nodes.Has(asked.Replace) {
		return noNode(root, asked.Replace)
	}
	if why := rules.MayReplace(root, asked.Replace); asked.Replace != "" && !why.IsZero() {
		return refuse(http.StatusConflict, "refused", "%s", why)
	}
	ca, err := s.daemon.authority(root)
	if err != nil {
		return err
	}
	if asked.Validity == 0 {
		asked.Validity = pki.TokenLife
	}
	addresses := []string{d.address}
	for _, node := range sortedNames(d.peers()) {
		addresses = append(addresses, d.peers()[node])
	}
	if len(addresses) > 3 {
		addresses = addresses[:3]
	}
	token, stored, err := pki.NewToken(root.ID, ca.Pin(), addresses, time.Now(), asked.Validity)
	if err != nil {
		return refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	applied, err := d.propose(r.Context(),
		cluster.AddToken{ID: token.ID, Token: cluster.Token{Hash: stored.SecretHash, Expires: stored.ExpiresAt,
			Replace: asked.Replace, By: who.Name}})
	if err != nil {
		return err
	}
	if err := applied.Err(); err != nil {
		return refuse(http.StatusConflict, "refused", "%v", err)
	}
	writeJSON(w, http.StatusOK, api.TokenReply{Text: token.Text(), Expires: stored.ExpiresAt})
	return nil
}

// join takes a machine in that shows a token: the secret is verified here, the
// token is used up in the log, and only then a certificate is signed.
func (s *server) join(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.JoinRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("join as node %.64q", asked.Node)
	d := s.daemon
	// The token comes first: who guesses costs nothing but this look.
	if _, err := s.tokenShown(r.Context(), asked); err != nil {
		d.noteGuess(r.Context(), who)
		return err
	}
	if err := d.log.VerifyShared(r.Context()); err != nil {
		return err
	}
	root := d.replica.Root()
	if passed, err := s.joinAtLeader(w, r, root, asked); passed || err != nil {
		return err
	}
	if asked.Level < root.Level {
		return refuse(http.StatusConflict, "too_old",
			"clusterd %s on %s knows cluster version %d, and version %d is in force; install a newer clusterd there",
			asked.Version, asked.Node, asked.Level, root.Level)
	}
	token, err := s.tokenShown(r.Context(), asked) // it may have been used up meanwhile
	if err != nil {
		return err
	}
	command, err := d.joinOf(root, asked, token)
	if err != nil {
		return err
	}
	if err := s.dropVote(r.Context(), root, token, asked.Node); err != nil {
		return err
	}
	reply, err := d.takeIn(r.Context(), command, asked)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// tokenPatience is how long a token is waited for that this node does not know, since its log may
// be a moment behind the node that made it. Nobody is asked for it.
const tokenPatience = time.Second

// tokenShown finds the token that a joining machine shows, and checks its secret.
func (s *server) tokenShown(ctx context.Context, asked api.JoinRequest) (cluster.Token, error) {
	secret, err := base64.RawURLEncoding.DecodeString(asked.Secret)
	if err != nil {
		return cluster.Token{}, refuse(http.StatusBadRequest, "bad_request", "the secret cannot be read")
	}
	deadline := time.NewTimer(tokenPatience)
	defer deadline.Stop()
	for {
		changed := s.daemon.replica.Changed()
		root := s.daemon.replica.Root()
		token, known := root.Tokens.Get(asked.TokenID)
		if known {
			stored := pki.Stored{ID: asked.TokenID, SecretHash: token.Hash, ExpiresAt: token.Expires}
			if err := stored.Verify(secret, membership.SigningPin(root), time.Now()); err != nil {
				return cluster.Token{}, refuse(http.StatusForbidden, "bad_token", "%v", err)
			}
			return token, nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			return cluster.Token{}, refuse(http.StatusForbidden, "bad_token", "%v", pki.ErrTokenUnknown)
		case <-ctx.Done():
			return cluster.Token{}, ctx.Err()
		}
	}
}

// joinAtLeader passes the join of a replacement on to the leader, which alone may
// change the log's members. It reports whether the answer was given.
func (s *server) joinAtLeader(w http.ResponseWriter, r *http.Request, root *cluster.State,
	asked api.JoinRequest) (bool, error) {
	d := s.daemon
	leader := d.role.Load().leader
	if token, known := root.Tokens.Get(asked.TokenID); !known || token.Replace == "" || leader == d.name {
		return false, nil
	}
	n, known := root.Nodes.Get(leader)
	if !known {
		return true, quorum.ErrNoLeader
	}
	var reply api.JoinReply
	if err := d.ask(r.Context(), leader, n.Address, http.MethodPost, api.PathJoin, asked, &reply); err != nil {
		return true, err
	}
	writeJSON(w, http.StatusOK, reply)
	return true, nil
}

// dropVote takes the machine that is to be replaced out of the log before its
// successor gets the name: the successor comes with an empty log, and a vote in
// the old one's place could make acknowledged entries vanish (law L7).
func (s *server) dropVote(ctx context.Context, root *cluster.State, token cluster.Token, node string) error {
	if token.Replace != node || !root.Nodes.Has(node) {
		return nil
	}
	if why := rules.MayReplace(root, node); !why.IsZero() {
		return refuse(http.StatusConflict, "refused", "%s", why) // and it keeps its vote
	}
	for _, m := range s.daemon.log.Members() {
		if m.ID == node {
			return s.daemon.log.Remove(ctx, node)
		}
	}
	return nil
}

// nodes removes a node, or lets it leave.
func (s *server) nodes(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.NodeRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("node %.20s %.64q", asked.Op, asked.Node)
	var command cluster.Command
	switch asked.Op {
	case "remove", "leave", "address":
		// These change who is a member, or what the cluster may count on.
		if !who.role.Includes(pki.RoleAdmin) {
			return notEnough(pki.RoleAdmin)
		}
	}
	switch asked.Op {
	case "remove":
		command = cluster.RemoveNode{Node: asked.Node, By: who.Name, Why: asked.Reason}
	case "address":
		command = readdressOf(s.daemon.replica.Root(), asked.Node, asked.Address, who.Name)
	case "leave":
		command = cluster.Leave{Node: asked.Node, By: who.Name}
	case string(cluster.OrderStandby), string(cluster.OrderDrain), string(cluster.OrderMaintenance), "return":
		command = orderOf(asked, who)
	default:
		return refuse(http.StatusBadRequest, "bad_request", "%q is no operation on a node", asked.Op)
	}
	applied, err := s.daemon.propose(r.Context(), command)
	if err != nil {
		return err
	}
	if root := s.daemon.replica.Root(); !applied.Refused[0].IsZero() && !root.Nodes.Has(asked.Node) {
		return noNode(root, asked.Node)
	}
	if why := applied.Refused[0]; !why.IsZero() {
		return refuse(http.StatusConflict, "refused", "%s", why)
	}
	reply := api.Reply{ID: asked.ID, Done: true, Text: "Success"}
	if root := s.daemon.replica.Root(); asked.Op == "remove" {
		reply.Why = keysLeftBehind(root, s.daemon.drivers, storageHand(root, s.daemon.name, asked.Node), asked.Node)
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// client signs a certificate for remote tools.
func (s *server) client(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.ClientRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.Revoke {
		return s.revoke(w, r, who, asked.User)
	}
	who.about("make a certificate for %.64q with role %.20q", asked.User, asked.Role)
	life := cmp.Or(asked.Validity, pki.ClientValidity)
	if life < time.Minute || life > pki.LongestClientValidity {
		return refuse(http.StatusBadRequest, "bad_request", "a client certificate lives from a minute to %d days, not %s",
			pki.LongestClientValidity/(24*time.Hour), life)
	}
	root := s.daemon.heldRoot(r.Context())
	ca, err := s.daemon.authority(root)
	if err != nil {
		return err
	}
	chain, err := ca.SignClient([]byte(asked.Request), asked.User, pki.Role(asked.Role), time.Now(), life)
	if err != nil {
		return refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	request, err := pki.ParseRequest([]byte(asked.Request))
	if err != nil {
		return refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	applied, err := s.daemon.propose(r.Context(), cluster.AddClient{
		Fingerprint: request.Fingerprint, User: asked.User, Role: asked.Role, By: who.Name,
		Expires: time.Now().Add(life).UTC(),
	})
	if err != nil {
		return err
	}
	if err := applied.Err(); err != nil {
		return refuse(http.StatusConflict, "refused", "%v", err)
	}
	writeJSON(w, http.StatusOK, api.ClientReply{
		Certificate: string(chain), Authority: string(ca.CertPEM), Keys: membership.KeysOf(root),
	})
	return nil
}

// nodeKeys tells remote tools whom to believe; the keys are public.
func (s *server) nodeKeys(w http.ResponseWriter, _ *http.Request, _ caller) error {
	writeJSON(w, http.StatusOK, membership.KeysOf(s.daemon.replica.Root()))
	return nil
}

// revoke bars the certificates of a user; connections with them are cut when the
// log tells.
func (s *server) revoke(w http.ResponseWriter, r *http.Request, who caller, user string) error {
	who.about("revoke the certificates of %.64q", user)
	applied, err := s.daemon.propose(r.Context(), cluster.RevokeClients{User: user, By: who.Name})
	if err != nil {
		return err
	}
	if err := applied.Err(); err != nil {
		return refuse(http.StatusConflict, "refused", "%v", err)
	}
	writeJSON(w, http.StatusOK, api.ClientReply{})
	return nil
}

// backup sends the whole State; it holds secrets.
func (s *server) backup(w http.ResponseWriter, r *http.Request, who caller) error {
	who.about("back the cluster up, secrets included")
	if err := s.daemon.log.VerifyShared(r.Context()); err != nil {
		return err
	}
	root := s.daemon.replica.Root()
	key, err := s.daemon.dataKey(root)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(membership.Backup{State: *root, DataKey: key.Bytes()})
}

// door answers the doorkeeper: may this managed VM come up here now?
func (s *server) door(w http.ResponseWriter, r *http.Request, _ caller) error {
	uuid, operation := strings.ToLower(r.URL.Query().Get("uuid")), r.URL.Query().Get("operation")
	service, may, why := s.passable(uuid)
	if may && service == "" && operation == operationMigrate && !s.daemon.admitted() {
		// Its State may be from before that VM was declared. What starts by itself does not wait.
		may = false
		why = "clusterd on " + s.daemon.name + " is not admitted yet and cannot tell whether this VM is managed"
	}
	if may && arrives(s.daemon.replica.Root(), s.daemon.name, service) {
		switch operation {
		case operationMigrate:
			s.daemon.arrivals.announce(uuid, time.Now())
		case operationPrepare:
			if !s.daemon.arrivals.take(uuid, time.Now()) {
				may, why = false, service+" is expected here by live migration, and this is a start"
			}
		}
	}
	if !may {
		s.daemon.logger.Warn("the doorkeeper refused a VM", "service", service, "uuid", uuid, "operation", operation,
			"why", why)
		return refuse(http.StatusForbidden, "refused", "%s", why)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// doorPatience is how long the door stays shut before it says no: the intent
// that a migration's source acts on may be a moment away from being applied here.
const doorPatience = 500 * time.Millisecond

func (s *server) passable(uuid string) (service string, may bool, why string) {
	if s.daemon.book.lost != nil {
		// What it does not know may be managed all the same: its State is empty, or too old.
		return "", false, "clusterd on " + s.daemon.name + " holds no log and cannot tell which VMs are managed; see clustat"
	}
	deadline := time.NewTimer(doorPatience)
	defer deadline.Stop()
	for {
		changed := s.daemon.replica.Changed()
		var because message.Text
		service, may, because = cluster.PassableFor(s.daemon.replica.Root(), s.daemon.name, s.daemon.incarnation.Load(), uuid)
		why = because.String()
		if may && service != "" && !s.daemon.guard.InForce() {
			may, why = false, service+" may come up here only once this host's watchdog is known to end it with its lease"
		}
		if forbidden := s.forbidden(service); may && forbidden != "" {
			return service, false, forbidden
		}
		if may {
			s.awaitCalls(uuid)
			return service, may, why
		}
		select {
		case <-changed:
		case <-time.After(cluster.Tick):
		case <-deadline.C:
			return service, may, why
		}
	}
}

// forbidden says why the definition of a VM may not come up on this node by the node's own policy.
func (s *server) forbidden(service string) string {
	root := s.daemon.replica.Root()
	known, found := root.Services.Get(service)
	if !found {
		return ""
	}
	text, _ := root.Blobs.Get(known.Spec.Definition)
	if why := s.daemon.options.Node.Definitions.Refuses(text); why != "" {
		return "the definition of " + service + " is refused on " + s.daemon.name + ": " + why
	}
	return ""
}

// callPatience bounds how long the door waits for an earlier call about the VM.
const callPatience = 2 * time.Second

// awaitCalls lets the hypervisor end what it still has to do about a VM that
// left a moment ago, before the same VM comes in again.
func (s *server) awaitCalls(uuid string) {
	agent, waits := s.daemon.agent.(agents.Awaiting)
	if !waits {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	agent.AwaitCalls(ctx, strings.ToLower(uuid))
}
