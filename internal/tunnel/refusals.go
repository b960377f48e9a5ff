package tunnel

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

// Refusal is somebody whom the forwarder sent away, and how often it did so.
type Refusal struct {
	// From is the address of the first of them, and Node the member's name if it is one.
	From string `json:"from"`
	Node string `json:"node,omitempty"`
	// Knock is what was shown by somebody who is no member.
	Knock  Knock  `json:"knock,omitempty"`
	Act    string `json:"act"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Knock is the kind of key of somebody who is no member.
type Knock string

// The kinds; empty where it was not the key.
const (
	KnockUnknown Knock = "unknown"
	KnockBarred  Knock = "barred"
)

const (
	// mostRefusals is how many of strangers wait for the daemon, and how many of members; no
	// stranger takes the place of a member's. refusalsAtOnce is how many it is told with one
	// answer, which has to stay below controlLimit.
	mostRefusals   = 64
	refusalsAtOnce = 4
	// longestReason bounds each text of them.
	longestReason = 300
)

// actOfStrangers is what somebody wanted who got no further than the door.
const actOfStrangers = "connect for " + `"` + Protocol + `"`

// refusals wait for the daemon, which keeps the audit trail. Those that are alike are counted, so
// that whoever is refused without end takes one place, and no other's.
type refusals struct {
	mu      sync.Mutex
	waiting []Refusal // oldest first
	// untold is how many there was no place for.
	untold int
}

// note adds one, or one more of those that wait.
func (r *refusals) note(one Refusal) {
	one.Act, one.Reason = bounded(one.Act), bounded(one.Reason)
	r.mu.Lock()
	defer r.mu.Unlock()
	places := mostRefusals
	for i := range r.waiting {
		if r.waiting[i].isLike(one) {
			r.waiting[i].Count += one.Count
			return
		}
		if (r.waiting[i].Node == "") == (one.Node == "") {
			places--
		}
	}
	if places <= 0 {
		r.untold += one.Count
		return
	}
	r.waiting = append(r.waiting, one)
}

// isLike: from the same place, as the same node, for a reason of the same kind. Acts are not
// compared: whoever is refused chooses their names.
func (r Refusal) isLike(other Refusal) bool {
	return r.Node == other.Node && r.Knock == other.Knock && limits.Network(r.From) == limits.Network(other.From)
}

// take hands the oldest ones out.
func (r *refusals) take() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 && r.untold > 0 {
		rest := Refusal{From: "many addresses", Act: actOfStrangers, Reason: "there were too many to tell each",
			Count: r.untold}
		r.untold = 0
		return []Refusal{rest}
	}
	count := min(len(r.waiting), refusalsAtOnce)
	taken := r.waiting[:count:count]
	r.waiting = append([]Refusal(nil), r.waiting[count:]...)
	return taken
}

func bounded(text string) string {
	if len(text) <= longestReason {
		return text
	}
	return text[:longestReason] + "..."
}

// sentAway notes somebody who was refused at the door.
func (f *forwarder) sentAway(remote string, reason error) {
	knock := Knock("")
	switch {
	case errors.Is(reason, pki.ErrRemoved):
		knock = KnockBarred
	case errors.Is(reason, pki.ErrStranger), errors.Is(reason, pki.ErrOtherCluster),
		errors.Is(reason, pki.ErrCertificateDates):
		knock = KnockUnknown
	}
	f.refusals.note(Refusal{From: remote, Knock: knock, Act: actOfStrangers, Reason: reason.Error(), Count: 1})
}

// refused notes a member that asked for what it may not have.
func (f *forwarder) refused(remote net.Conn, act string, reason error, count int) {
	f.refusals.note(Refusal{From: remote.RemoteAddr().String(), Node: nodeAt(remote), Act: act, Reason: reason.Error(),
		Count: count})
}

// nodeAt is the member at the other end of a connection that was let in; empty without a
// certificate.
func nodeAt(remote net.Conn) string {
	secured, is := remote.(interface{ ConnectionState() tls.ConnectionState })
	if !is {
		return ""
	}
	peer, err := pki.PeerOf(secured.ConnectionState())
	if err != nil {
		return ""
	}
	return peer.Name
}
