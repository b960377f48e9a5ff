package cluster

import (
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// How long the node that is not favoured waits, where the document does not say.
const (
	TwoNodeDelay         = 15 * time.Second
	TwoNodeDelayShortest = 3 * time.Second
	TwoNodeDelayLongest  = 5 * time.Minute
)

// pauseBetweenShots is how long a node that goes on alone rests after an attempt
// that proved nothing.
const pauseBetweenShots = time.Second

// TwoNode is the rule of law L4's one exception: of two nodes without a witness
// one may go on without the other.
type TwoNode struct {
	// Favour is the node that shoots first; empty leaves it to the domains.
	Favour string `json:"favour,omitempty"`
	// Delay is how long the other one waits, and a quarter of the first round of
	// turns is half of it.
	Delay time.Duration `json:"delay,omitempty"`
}

// Favoured is the node that shoots first when both are left: the one that the
// document names, or else the one that is the first choice of more ordered
// domains' services, or else the first by name. It is a function of the document
// alone, because both nodes must come to the same answer without each other.
func (d Document) Favoured() string {
	if d.TwoNode != nil && d.TwoNode.Favour != "" {
		return d.TwoNode.Favour
	}
	firsts := map[string]int{}
	for _, name := range words.SortedKeys(d.Services) {
		domain := d.Domains[d.Services[name].Domain]
		best := ""
		for _, m := range domain.Members {
			if domain.Ordered && m.Priority == 1 {
				best = m.Node
			}
		}
		firsts[best]++
	}
	favoured := ""
	for _, name := range words.SortedKeys(d.Nodes) {
		if favoured == "" || firsts[name] > firsts[favoured] {
			favoured = name
		}
	}
	return favoured
}

// PowerLevels are the levels that prove a node off. The rule has no use for
// others: what waits a watchdog out needs a lease, and a lease needs a quorum.
func (d Document) PowerLevels(node string) [][]fence.Device {
	var levels [][]fence.Device
	for _, level := range d.Nodes[node].Fence {
		var devices []fence.Device
		for _, name := range level.Devices {
			devices = append(devices, d.Devices[name])
		}
		if fence.EffectOf(devices) == fence.ByPower {
			levels = append(levels, devices)
		}
	}
	return levels
}

// Warrant is what permits a node to go on alone. It is kept on its disk while
// both are in touch, and holds all that is required when the log cannot be read
// now: whom to shoot, and by what.
type Warrant struct {
	Node       string `json:"node"`
	Boot       string `json:"boot"`
	Generation uint64 `json:"generation"`
	// Document is the version that all below is from.
	Document uint64           `json:"document"`
	Timing   string           `json:"timing,omitempty"`
	Delay    time.Duration    `json:"delay"`
	Favoured bool             `json:"favoured"`
	Peer     fence.Target     `json:"peer"`
	Levels   [][]fence.Device `json:"levels"`
	// Proven are the devices that a drill showed to be the peer's.
	Proven []string `json:"proven,omitempty"`
}

// Standing is what a node knows of itself besides the State.
type Standing struct {
	Self, Boot  string
	Incarnation uint64
	// BothVote: in the newest membership this node knows it and the other vote.
	BothVote bool
	// PeerApplied is the newest entry that the other said it has applied.
	PeerApplied uint64
}

// Other is the second of two nodes.
func (s *State) Other(self string) Member {
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); name != self {
			return n
		}
	}
	return Member{}
}

// Parting is a node's decision to go on alone, written down before anything is
// done about it. With a result it is done, and only the log has to learn of it.
type Parting struct {
	Warrant Warrant `json:"warrant"`
	// Through is the end of the node's log at that time. An entry behind it would
	// come from the other one, which is neither spared nor let in.
	Through uint64       `json:"through"`
	Why     message.Text `json:"why"`
	At      time.Time    `json:"at"`
	// LastHeard is about when the other one was; for telling, as At is.
	LastHeard time.Time `json:"lastHeard,omitzero"`
	// Result is the confirmed fence, once there is one.
	Result *fence.Result `json:"result,omitempty"`
}

// After returns the parting with the result of an attempt, and whether that
// proves that the other one is off. Nothing less ends the wait (law L3).
func (p Parting) After(result fence.Result) (Parting, bool) {
	if result.Outcome != fence.Confirmed || result.Proven.By() != fence.ByPower {
		return p, false
	}
	p.Result = &result
	return p, true
}

// Command is what the log is told of a parting that is done: its first entry in
// the new generation.
func (p Parting) Command() GoAlone {
	return GoAlone{Generation: p.Warrant.Generation + 1, Node: p.Warrant.Node, Peer: p.Warrant.Peer.Node,
		Through: p.Through, Why: p.Why,
		LastHeard: p.LastHeard, Decided: p.At, Result: *p.Result}
}

// Apart is what a node measures while it is out of quorum.
type Apart struct {
	Boot string
	// Generation and Document are those of the State as far as this node has
	// applied it; a daemon that has just started knows less than its warrant.
	Generation, Document uint64
	// For is how long this node has been out of quorum. All time counts, also that
	// in which it was stopped: the turns must not shift.
	For time.Duration
	// Contact is the stopwatch on the other node.
	Contact Contactwatch
	// OffAfter is how long this node had been out of quorum when all devices of a
	// level said that the other's power is off; 0 where they have not.
	OffAfter time.Duration
	// Busy: an attempt is under way. Tried counts those that ended, Rested is how
	// long ago the last one did.
	Busy   bool
	Tried  int
	Rested time.Duration
}

// AloneAct is what a node that is left does next.
type AloneAct string

// The acts.
const (
	// AloneWait: nothing; the sentence says what for.
	AloneWait AloneAct = "wait"
	// AloneWrite: the decision is to be written down, with the log shut.
	AloneWrite AloneAct = "write down"
	// AloneShoot: an attempt to fence the other is to begin.
	AloneShoot AloneAct = "shoot"
	// AloneGoOn: the log is to go on with this node alone.
	AloneGoOn AloneAct = "go on"
	// AloneGiveUp: the written decision is to be thrown away, and the log opened.
	AloneGiveUp AloneAct = "give up"
)

// Alone decides what a node that is out of quorum does next by the two-node
// rule, and says why. The parting is nil before the decision is written down.
func Alone(w Warrant, p *Parting, a Apart) (AloneAct, message.Text) {
	if p != nil {
		return p.next(a)
	}
	peer := w.Peer.Node
	switch {
	case w.Boot != a.Boot:
		return AloneWait, message.AloneSinceBoot.With(w.Node, peer)
	case a.Generation > w.Generation || a.Document > w.Document:
		return AloneWait, message.AloneWithOldDocument.With(w.Node, peer)
	}
	timing := TimingFor(w.Timing)
	j := Judge(Member{Name: peer}, a.Contact, timing)
	if j.State != NodeLost {
		return AloneWait, j.Wait.OrElse(message.AlonePeerHeard.With(peer))
	}
	if may, why := w.mayShoot(a); !may {
		return AloneWait, why
	}
	return AloneWrite, j.Why
}

// next is what follows from a decision that is written down. The other is not
// spared by being heard: only when everything sent to its devices has had its
// time, and nothing came of it, may the two go on as if nothing had been.
func (p Parting) next(a Apart) (AloneAct, message.Text) {
	w := p.Warrant
	heard := a.Contact.Heard && a.Contact.Silence < TimingFor(w.Timing).Test
	switch {
	case w.Boot != a.Boot && (p.Result != nil || a.Rested >= w.Delay/2):
		return AloneGiveUp, message.AloneBooted.With(w.Node)
	case w.Boot != a.Boot:
		return AloneWait, message.AloneBootedWaits.With(w.Node)
	case p.Result != nil:
		return AloneGoOn, message.NodeConfirmedOff.With(w.Peer.Node)
	case a.Busy:
		return AloneWait, message.FenceUnderWay.With(w.Peer.Node)
	case heard && a.Rested >= w.Delay/2:
		return AloneGiveUp, message.AlonePeerBack.With(w.Peer.Node)
	case heard:
		return AloneWait, message.AlonePeerBackWaits.With(w.Peer.Node)
	case a.Tried > 0 && a.Rested < pauseBetweenShots:
		return AloneWait, message.AloneTriesAgain.With(w.Peer.Node)
	}
	if may, why := w.mayShoot(a); !may {
		return AloneWait, why
	}
	return AloneShoot, p.Why
}

// MayShoot reports whether an off command may be sent at this moment. It is asked
// again before each one.
func (w Warrant) MayShoot(a Apart) bool {
	may, _ := w.mayShoot(a)
	return may
}

// WasOffInTime reports whether the other one was off before it could have sent
// anything: then there is no turn to wait for. One that lost its power later may
// have shot before, and its shot may still be on its way.
func (w Warrant) WasOffInTime(a Apart) bool {
	return a.OffAfter > 0 && a.OffAfter <= 2*TimingFor(w.Timing).Lost
}

// firstTurn is when the turns begin, by the time that a node has been out of
// quorum: as long after WasOffInTime as the two may differ in noticing it.
func (w Warrant) firstTurn() time.Duration { return 3 * TimingFor(w.Timing).Lost }

// mayShoot: each node shoots in its own turns only, but for that.
func (w Warrant) mayShoot(a Apart) (bool, message.Text) {
	if w.WasOffInTime(a) {
		return true, message.Text{}
	}
	mine, wait := w.turn(a.For)
	switch {
	case mine:
		return true, message.Text{}
	case wait == 0:
		return false, message.AloneTurnsOver.With(w.Peer.Node)
	}
	return false, message.AloneTurnWaits.With(w.Peer.Node, w.Node, wait.Round(100*time.Millisecond))
}

// turn reports whether it is this node's turn, this long after the two lost each
// other, or how long it waits for it. A round has four quarters: the favoured
// node's, a rest, the other one's, a rest. In a rest, what was sent has its time to
// arrive. Each round is twice as long as the one before, because what the two
// clocks differ by grows with the time too.
func (w Warrant) turn(apart time.Duration) (mine bool, wait time.Duration) {
	const rounds = 12
	begin, quarter := w.firstTurn(), w.Delay/2
	for range rounds {
		from := begin
		if !w.Favoured {
			from += 2 * quarter
		}
		switch {
		case apart < from:
			return false, from - apart
		case apart < from+quarter:
			return true, 0
		}
		begin, quarter = begin+4*quarter, 2*quarter
	}
	return false, 0 // after days: a person is required
}

// LevelToTry is the level of the next attempt: each in its order, round and
// round.
func (w Warrant) LevelToTry(tried int) []fence.Device {
	if len(w.Levels) == 0 {
		return nil
	}
	return w.Levels[tried%len(w.Levels)]
}

// GoAlone begins a new generation without the other of two nodes: the exception
// of laws L4 and L8. It is the first command of the log that a node goes on with
// by itself.
type GoAlone struct {
	Change
	Generation uint64 `json:"generation"`
	Node       string `json:"node"`
	Peer       string `json:"peer"`
	// Through is where the log ended when it was decided.
	Through uint64       `json:"through"`
	Why     message.Text `json:"why"`
	// LastHeard and Decided are for the story of what is recovered.
	LastHeard time.Time    `json:"lastHeard,omitzero"`
	Decided   time.Time    `json:"decided,omitzero"`
	Result    fence.Result `json:"result"`
}

// Readmit lets an expelled node into the log again, once its own was set aside.
type Readmit struct {
	Change
	Node       string `json:"node"`
	Generation uint64 `json:"generation"`
}

// BarredByGeneration says why a node that was left behind is not admitted.
func (n Member) BarredByGeneration() message.Text {
	if n.Expelled == 0 {
		return message.Text{}
	}
	return message.LogBegunWithout.With(n.Expelled, n.Name)
}
