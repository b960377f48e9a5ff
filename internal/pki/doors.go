package pki

import (
	"errors"
	"fmt"
)

// Channel is one way into a node, or out of it to another one.
type Channel string

// The channels. Two of them may share a port and a protocol: then the stricter question is asked as
// soon as it is known which of them is meant.
const (
	// ChannelRaft replicates the log.
	ChannelRaft Channel = "raft"
	// ChannelForward carries proposals and reads to the leader.
	ChannelForward Channel = "forward"
	// ChannelPeerTest asks a node to test another one.
	ChannelPeerTest Channel = "peer test"
	// ChannelQuestion carries what daemons ask each other where the log cannot tell.
	ChannelQuestion Channel = "question"
	// ChannelLook reads what may be seen by everybody who may see anything.
	ChannelLook Channel = "look"
	// ChannelOperate moves services and nodes about.
	ChannelOperate Channel = "operate"
	// ChannelCommand changes the cluster or reads its secrets.
	ChannelCommand Channel = "command"
	// ChannelJoin takes a token.
	ChannelJoin Channel = "join"
	// ChannelDoor answers the doorkeeper. It is served on the UNIX socket alone.
	ChannelDoor Channel = "door"
	// ChannelTunnelAPI reaches the hypervisor of a migration's target.
	ChannelTunnelAPI Channel = "tunnel api"
	// ChannelTunnelData carries a guest's memory.
	ChannelTunnelData Channel = "tunnel data"
	// ChannelHeartbeat tells that a node lives.
	ChannelHeartbeat Channel = "heartbeat"
	// ChannelGossip finds members.
	ChannelGossip Channel = "gossip"
	// ChannelPage loads the page's files and takes a login link. It is served on the page's own port
	// alone.
	ChannelPage Channel = "page"
)

// Channels are all there are.
func Channels() []Channel {
	return []Channel{
		ChannelRaft, ChannelForward, ChannelPeerTest, ChannelQuestion,
		ChannelLook, ChannelOperate, ChannelCommand, ChannelJoin, ChannelDoor,
		ChannelTunnelAPI, ChannelTunnelData, ChannelHeartbeat, ChannelGossip, ChannelPage,
	}
}

// Direction says who opened the connection.
type Direction bool

const (
	// Accepting: the peer came to this node.
	Accepting Direction = false
	// Dialing: this node went to the peer.
	Dialing Direction = true
)

// ErrStranger is returned when the peer's key is not one that the cluster knows as a member's,
// whoever signed its certificate.
var ErrStranger = errors.New("its key is not one that the cluster recorded")

// door says whom one channel lets in. What it does not name it refuses.
type door struct {
	// member nodes, by exactly the key that the State records.
	member bool
	// vouched nodes: this node's State does not know the key, a member's does.
	vouched bool
	// client is the least role of a client that is let in; empty where none is. It is known by
	// exactly the key that the State records, like a node.
	client Role
	// visitor is the least role of a visitor that is let in, while the visit lasts; empty where none
	// is.
	visitor Role
	// joiner has no certificate.
	joiner bool
	// newcomer is this node itself without a certificate: it knows nobody's key, and a token pins
	// the authority.
	newcomer bool
}

// doors is the table of who may use what. Clients and joiners only ever come; nobody connects to
// them.
var doors = map[Channel]door{
	// A lagging member may hear the log from a leader that joined while it was away, and that a
	// member vouches for: without that it could never catch up. Its votes and entries go nowhere
	// else by that.
	ChannelRaft:       {member: true, vouched: true},
	ChannelForward:    {member: true},
	ChannelPeerTest:   {member: true},
	ChannelQuestion:   {member: true},
	ChannelLook:       {member: true, client: RoleViewer, visitor: RoleViewer},
	ChannelOperate:    {member: true, client: RoleOperator, visitor: RoleOperator},
	ChannelCommand:    {member: true, client: RoleAdmin, visitor: RoleAdmin},
	ChannelJoin:       {member: true, joiner: true, newcomer: true},
	ChannelDoor:       {},
	ChannelTunnelAPI:  {member: true},
	ChannelTunnelData: {member: true},
	ChannelHeartbeat:  {member: true},
	ChannelGossip:     {member: true},
	ChannelPage:       {joiner: true, visitor: RoleViewer},
}

// Admit says whether a peer of that standing may use a channel: nil, or why not. It is a table, and
// the only one: both ends of every link ask it, at the beginning and again whenever the State
// changed.
func Admit(channel Channel, direction Direction, peer Peer, standing Standing) error {
	of, known := doors[channel]
	switch {
	case !known:
		return fmt.Errorf("%s may not use %q: there is no such channel", peer, channel)
	case standing.Kind == StandingRemoved && standing.RemovedAt.IsZero():
		return fmt.Errorf("%s was %w", peer, ErrRemoved)
	case standing.Kind == StandingRemoved:
		return fmt.Errorf("%s was %w on %s", peer, ErrRemoved, stamp(standing.RemovedAt))
	case peer.Kind == KindNode:
		return admitNode(of, channel, direction, peer, standing)
	case direction == Dialing:
		return fmt.Errorf("%s is not a node, and only nodes are connected to for %s", peer, channel)
	case peer.Kind == KindJoiner && of.joiner,
		peer.Kind == KindClient && standing.Kind == StandingMember && of.client != "" && peer.Role.Includes(of.client),
		peer.Kind == KindVisitor && standing.Kind == StandingMember && of.visitor != "" && peer.Role.Includes(of.visitor):
		return nil
	}
	if peer.Kind == KindVisitor && standing.Kind != StandingMember {
		return fmt.Errorf("%s may not use channel %s: the visit is over; log in again", peer, channel)
	}
	if peer.Kind == KindClient && standing.Kind != StandingMember {
		return fmt.Errorf("%s may not use channel %s: %w (%s)", peer, channel, ErrStranger, peer.Fingerprint)
	}
	return fmt.Errorf("channel %s is not for %s", channel, peer)
}

func admitNode(of door, channel Channel, direction Direction, peer Peer, standing Standing) error {
	switch {
	case standing.Kind == StandingMember && of.member, standing.Kind == StandingVouched && of.vouched:
		return nil
	case standing.Kind == StandingUnknown && direction == Dialing && of.newcomer:
		return nil
	case standing.Kind == StandingMember:
		return fmt.Errorf("channel %s is not for %s", channel, peer)
	}
	return fmt.Errorf("%s may not use channel %s: %w (%s); "+
		"if it joined a moment ago it is let in as soon as this node's log tells of it",
		peer, channel, ErrStranger, peer.Fingerprint)
}

// Admit asks the table about a peer, by what the State says of it now.
func (store *Store) Admit(channel Channel, direction Direction, peer Peer) error {
	return Admit(channel, direction, peer, store.trust.standing(peer))
}

// admitAny is nil when one of the channels is open to the peer; else it says why the first is not.
func (store *Store) admitAny(channels []Channel, direction Direction, peer Peer) error {
	standing := store.trust.standing(peer)
	var first error
	for _, channel := range channels {
		err := Admit(channel, direction, peer, standing)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return fmt.Errorf("%s may use no channel of this protocol", peer)
	}
	return first
}
