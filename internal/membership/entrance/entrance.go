// Package entrance takes machines in that show a token. Whatever would be refused later is found
// before the join is in the log, because a member that cannot be reached or believed holds a vote
// up.
package entrance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/quorum"
)

// Log is the replicated log, the State that follows from it, and its own members.
type Log interface {
	Root() *cluster.State
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	Members() []quorum.Member
	// Remove takes a member out of the log.
	Remove(ctx context.Context, node string) error
}

// Entrance is the one of a node. All is required.
type Entrance struct {
	// Node is this node's name, and Address where the others reach it.
	Node, Address string
	Log           Log
	// Authority opens the authority that signs certificates.
	Authority func(root *cluster.State) (*pki.CA, error)
	// Peers are the addresses of the other nodes.
	Peers func() map[string]string
}

// Join takes a machine in that has shown a token: only then a certificate is signed.
func (e *Entrance) Join(ctx context.Context, root *cluster.State, asked api.JoinRequest, token cluster.Token) (
	api.JoinReply, error) {
	command, err := e.joinOf(root, asked, token)
	if err != nil {
		return api.JoinReply{}, err
	}
	if err := e.dropVote(ctx, root, token, asked.Node); err != nil {
		return api.JoinReply{}, err
	}
	return e.takeIn(ctx, command, asked)
}

// joinOf makes the command of a join, and finds whatever would be refused later: by the
// State, by the authority, by the links to the node. What is in the log is a member, and
// a member whose certificate cannot be signed never comes and cannot be reached.
func (e *Entrance) joinOf(root *cluster.State, asked api.JoinRequest, token cluster.Token) (cluster.Join, error) {
	if asked.Level < root.Level {
		return cluster.Join{}, server.Refuse(http.StatusConflict, "too_old",
			"clusterd %s on %s knows cluster version %d, and version %d is in force; install a newer clusterd there",
			asked.Version, asked.Node, asked.Level, root.Level)
	}
	request, err := pki.ParseRequest([]byte(asked.Request))
	if err != nil || request.Name != asked.Node {
		return cluster.Join{}, server.Refuse(http.StatusBadRequest, "bad_request", "the certificate request is not one of "+
			"node %.64q", asked.Node)
	}
	command := cluster.Join{Token: asked.TokenID, Node: asked.Node, Fingerprint: request.Fingerprint,
		Key:          request.Public,
		HardwareUUID: asked.HardwareUUID, Address: asked.Address, Witness: asked.Witness, By: token.By}
	if why := command.Unfit(); !why.IsZero() {
		return cluster.Join{}, server.Refuse(http.StatusBadRequest, "bad_request", "%s", why)
	}
	if err := reachable(asked.Address); err != nil {
		return cluster.Join{}, server.Refuse(http.StatusBadRequest, "bad_request", "node %s cannot be reached under its "+
			"address: %v", asked.Node, err)
	}
	if why := rules.MayJoin(root, command, token.Replace); !why.IsZero() {
		return cluster.Join{}, server.Refuse(http.StatusConflict, "refused", "%s", why)
	}
	if _, err := e.signJoin(root, asked); err != nil {
		return cluster.Join{}, server.Refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	return command, e.placeIsFree(root, asked.Node)
}

// placeIsFree refuses a machine under the name of a removed node whose vote has not ended yet: it
// comes with an empty log, and in that place could make acknowledged entries vanish (law L7).
func (e *Entrance) placeIsFree(root *cluster.State, node string) error {
	inLog := func(m quorum.Member) bool { return m.ID == node }
	if !root.Nodes.Has(node) && slices.ContainsFunc(e.Log.Members(), inLog) {
		return server.Refuse(http.StatusServiceUnavailable, "busy",
			"node %s was removed, and its place in the log is not free yet; try again in a moment", node)
	}
	return nil
}

// reachable says what is wrong with an address as others would use it.
func reachable(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host and port", address)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("%q is no port", port)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return fmt.Errorf("%q names no host", address)
	case err == nil && (ip.IsUnspecified() || ip.IsMulticast()):
		return fmt.Errorf("%s is no address of one host", host)
	}
	return nil
}

// signJoin makes the certificate of a machine that joins.
func (e *Entrance) signJoin(root *cluster.State, asked api.JoinRequest) ([]byte, error) {
	ca, err := e.Authority(root)
	if err != nil {
		return nil, err
	}
	hosts := append(membership.HostsOf(asked.Address), asked.Addresses...)
	return ca.SignNode([]byte(asked.Request), asked.Node, hosts, time.Now(), pki.NodeValidity)
}

// dropVote takes the machine that is to be replaced out of the log before its
// successor gets the name: the successor comes with an empty log, and a vote in
// the old one's place could make acknowledged entries vanish (law L7).
func (e *Entrance) dropVote(ctx context.Context, root *cluster.State, token cluster.Token, node string) error {
	if token.Replace != node || !root.Nodes.Has(node) {
		return nil
	}
	if why := rules.MayReplace(root, node); !why.IsZero() {
		return server.Refuse(http.StatusConflict, "refused", "%s", why) // and it keeps its vote
	}
	for _, m := range e.Log.Members() {
		if m.ID == node {
			return e.Log.Remove(ctx, node)
		}
	}
	return nil
}

// takeIn puts a join into the log, and answers with the node's certificate.
func (e *Entrance) takeIn(ctx context.Context, command cluster.Join, asked api.JoinRequest) (api.JoinReply, error) {
	refused, err := e.Log.Propose(ctx, command)
	if err != nil {
		return api.JoinReply{}, err
	}
	if why := refused[0]; !why.IsZero() {
		return api.JoinReply{}, server.Refuse(http.StatusConflict, "refused", "%s", why)
	}
	root := e.Log.Root()
	chain, err := e.signJoin(root, asked)
	if err != nil {
		return api.JoinReply{}, err
	}
	members := e.Peers()
	members[e.Node] = e.Address
	delete(members, asked.Node)
	return api.JoinReply{ClusterID: root.ID, Cluster: root.Cluster, Certificate: string(chain),
		Authority: root.Secrets.Authority, Members: members, Keys: membership.KeysOf(root)}, nil
}
