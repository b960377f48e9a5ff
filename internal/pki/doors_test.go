package pki

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// The peers that there can be, and the standings.
var (
	everyPeer = []Peer{
		{Kind: KindNode, Name: "node2", Fingerprint: "f"},
		{Kind: KindClient, Role: RoleAdmin, Name: "alice", Fingerprint: "a"},
		{Kind: KindClient, Role: RoleOperator, Name: "bob", Fingerprint: "b"},
		{Kind: KindClient, Role: RoleViewer, Name: "eve", Fingerprint: "e"},
		{Kind: KindClient, Role: "emperor", Name: "nero", Fingerprint: "n"},
		{Kind: KindJoiner},
		{Kind: KindVisitor, Role: RoleAdmin, Name: "alice", Fingerprint: "v"},
		{Kind: KindVisitor, Role: RoleOperator, Name: "bob", Fingerprint: "w"},
		{Kind: KindVisitor, Role: RoleViewer, Name: "eve", Fingerprint: "x"},
		{Kind: KindVisitor, Name: "nobody", Fingerprint: "y"},
		{Kind: "ghost", Name: "node2"},
	}
	everyStanding = []StandingKind{StandingUnknown, StandingMember, StandingVouched, StandingRemoved, StandingKind(99)}
)

func nameOf(peer Peer) string {
	if peer.Kind == KindClient {
		return string(peer.Role)
	}
	if peer.Kind == KindVisitor {
		return "visiting-" + string(peer.Role)
	}
	return string(peer.Kind)
}

var standingNames = map[StandingKind]string{
	StandingUnknown: "unknown", StandingMember: "member", StandingVouched: "vouched",
	StandingRemoved: "removed", 99: "a standing of tomorrow",
}

// TestWhoMayDoWhat goes through every cell of the table. What is open is written down here cell by
// cell; all else is shut.
func TestWhoMayDoWhat(t *testing.T) {
	open := map[string]bool{
		"raft accepting node vouched": true, "raft dialing node vouched": true, "join dialing node unknown": true,
	}
	ways := map[Direction]string{Accepting: "accepting", Dialing: "dialing"}
	for _, channel := range Channels() {
		if channel == ChannelDoor || channel == ChannelPage {
			continue // by the UNIX socket only, which has no certificates; and for people alone
		}
		for _, direction := range []string{"accepting", "dialing"} {
			open[fmt.Sprintf("%s %s node member", channel, direction)] = true
		}
	}
	for _, role := range []string{"admin", "operator", "viewer"} {
		open["look accepting "+role+" member"] = true
		open["look accepting visiting-"+role+" member"] = true
		open["page accepting visiting-"+role+" member"] = true
	}
	open["operate accepting admin member"] = true
	open["operate accepting operator member"] = true
	open["command accepting admin member"] = true
	open["operate accepting visiting-admin member"] = true
	open["operate accepting visiting-operator member"] = true
	open["command accepting visiting-admin member"] = true
	for _, standing := range []string{"unknown", "member", "vouched", "a standing of tomorrow"} { // a joiner has no key
		open["join accepting joiner "+standing] = true
		open["page accepting joiner "+standing] = true
	}
	cells, admitted := 0, 0
	for _, channel := range append(Channels(), "", "root") {
		for _, direction := range []Direction{Accepting, Dialing} {
			for _, peer := range everyPeer {
				for _, standing := range everyStanding {
					cell := fmt.Sprintf("%s %s %s %s", channel, ways[direction], nameOf(peer), standingNames[standing])
					err := Admit(channel, direction, peer, Standing{Kind: standing})
					cells++
					if (err == nil) != open[cell] {
						t.Errorf("%s: %v, and it is to be open: %v", cell, err, open[cell])
					}
					if err == nil {
						admitted++
					}
					if standing == StandingRemoved && slices.Contains(Channels(), channel) && !errors.Is(err, ErrRemoved) {
						t.Errorf("%s: the refusal does not say that it was removed: %v", cell, err)
					}
				}
			}
		}
	}
	if admitted != len(open) {
		t.Errorf("%d cells are open of %d, want %d", admitted, cells, len(open))
	}
}

// TestEachChannelHasItsRow keeps the list and the table together.
func TestEachChannelHasItsRow(t *testing.T) {
	if len(Channels()) != len(doors) {
		t.Errorf("%d channels, %d rows", len(Channels()), len(doors))
	}
	for _, channel := range Channels() {
		if _, known := doors[channel]; !known {
			t.Errorf("channel %s has no row", channel)
		}
	}
}

// TestAnUnrecordedKeyIsNobodyOnEitherEnd: the authority signed it, and the State does not know it.
func TestAnUnrecordedKeyIsNobodyOnEitherEnd(t *testing.T) {
	ca := newTestCA(t, testCluster)
	server, ghost := newMember(t, ca, "node1", noon), newMember(t, ca, "ghost", noon)
	knowing := NewStore(server, Trust{Now: at(noon), Standing: recorded(server)})
	trusting := NewStore(ghost, Trust{Now: at(noon), Standing: everyone})
	mux := serve(t, knowing, Limits{})
	echo(open(t, mux, "clusterd-raft"))
	address := mux.listener.Addr().String()
	if _, err := Dial(t.Context(), trusting, address, "node1", "clusterd-raft", ChannelRaft); !errors.Is(err, ErrRefused) {
		t.Errorf("it comes: %v", err)
	}
	theirs := serve(t, trusting, Limits{})
	echo(open(t, theirs, "clusterd-raft"))
	address = theirs.listener.Addr().String()
	if _, err := Dial(t.Context(), knowing, address, AnyNode, "clusterd-raft", ChannelRaft); !errors.Is(err, ErrStranger) {
		t.Errorf("it is gone to: %v", err)
	}
}

// TestARemovalEndsBothEndsOfALink: the accepted ones and the dialed ones.
func TestARemovalEndsBothEndsOfALink(t *testing.T) {
	ca := newTestCA(t, testCluster)
	for _, by := range []string{"node1", "node2"} { // who removes the other, and sees its links end
		states := map[string]*state{"node1": {}, "node2": {}}
		muxes, stores := map[string]*Mux{}, map[string]*Store{}
		for name, state := range states {
			stores[name] = NewStore(newMember(t, ca, name, noon), Trust{Now: at(noon), Standing: state.standing})
			muxes[name] = serve(t, stores[name], Limits{})
			echo(open(t, muxes[name], "clusterd-raft"))
		}
		states["node1"].set(StandingMember)
		states["node2"].set(StandingMember)
		address := muxes["node2"].listener.Addr().String()
		there, err := Dial(t.Context(), stores["node1"], address, "node2", "clusterd-raft", ChannelRaft)
		if err != nil {
			t.Fatal(err)
		}
		wantEcho(t, there)
		if closed := muxes[by].Recheck(); closed != 0 {
			t.Errorf("%s closed %d links of members", by, closed)
		}
		states[by].set(StandingRemoved)
		if closed := muxes[by].Recheck(); closed != 1 {
			t.Errorf("%s closed %d links of the other one, want 1", by, closed)
		}
		there.SetDeadline(time.Now().Add(time.Second))
		if _, err := there.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
			t.Errorf("removed by %s, the link still lives: %v", by, err)
		}
		there.Close()
	}
}

// errTimeout is the error itself when it is a deadline's.
func errTimeout(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return errors.New("not a deadline")
}
