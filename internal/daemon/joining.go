package daemon

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
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// joinOf makes the command of a join, and finds whatever would be refused later: by the
// State, by the authority, by the links to the node. What is in the log is a member, and
// a member whose certificate cannot be signed never comes and cannot be reached.
func (d *Daemon) joinOf(root *cluster.State, asked api.JoinRequest, token cluster.Token) (cluster.Join, error) {
	request, err := pki.ParseRequest([]byte(asked.Request))
	if err != nil || request.Name != asked.Node {
		return cluster.Join{}, refuse(http.StatusBadRequest, "bad_request", "the certificate request is not one of "+
			"node %.64q", asked.Node)
	}
	command := cluster.Join{Token: asked.TokenID, Node: asked.Node, Fingerprint: request.Fingerprint,
		Key:          request.Public,
		HardwareUUID: asked.HardwareUUID, Address: asked.Address, Witness: asked.Witness, By: token.By}
	if why := command.Unfit(); why != "" {
		return cluster.Join{}, refuse(http.StatusBadRequest, "bad_request", "%s", why)
	}
	if err := reachable(asked.Address); err != nil {
		return cluster.Join{}, refuse(http.StatusBadRequest, "bad_request", "node %s cannot be reached under its "+
			"address: %v", asked.Node, err)
	}
	if why := rules.MayJoin(root, command, token.Replace); why != "" {
		return cluster.Join{}, refuse(http.StatusConflict, "refused", "%s", why)
	}
	if _, err := d.signJoin(root, asked); err != nil {
		return cluster.Join{}, refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	return command, d.placeIsFree(root, asked.Node)
}

// placeIsFree refuses a machine under the name of a removed node whose vote has not ended yet: it
// comes with an empty log, and in that place could make acknowledged entries vanish (law L7).
func (d *Daemon) placeIsFree(root *cluster.State, node string) error {
	inLog := func(m quorum.Member) bool { return m.ID == node }
	if !root.Nodes.Has(node) && slices.ContainsFunc(d.log.Members(), inLog) {
		return busy("node %s was removed, and its place in the log is not free yet; try again in a moment", node)
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
func (d *Daemon) signJoin(root *cluster.State, asked api.JoinRequest) ([]byte, error) {
	ca, err := d.authority(root)
	if err != nil {
		return nil, err
	}
	hosts := append(membership.HostsOf(asked.Address), asked.Addresses...)
	return ca.SignNode([]byte(asked.Request), asked.Node, hosts, time.Now(), pki.NodeValidity)
}

// takeIn puts a join into the log, and answers with the node's certificate.
func (d *Daemon) takeIn(ctx context.Context, command cluster.Join, asked api.JoinRequest) (api.JoinReply, error) {
	applied, err := d.propose(ctx, command)
	if err != nil {
		return api.JoinReply{}, err
	}
	if why := applied.Refused[0]; why != "" {
		return api.JoinReply{}, refuse(http.StatusConflict, "refused", "%s", why)
	}
	root := d.replica.Root()
	chain, err := d.signJoin(root, asked)
	if err != nil {
		return api.JoinReply{}, err
	}
	members := d.peers()
	members[d.name] = d.address
	delete(members, asked.Node)
	return api.JoinReply{ClusterID: root.ID, Cluster: root.Cluster, Certificate: string(chain),
		Authority: root.Secrets.Authority, Members: members, Keys: membership.KeysOf(root)}, nil
}
