package pair

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	// aloneTick is how often a node of two looks whether it is left alone, aloneRest
	// how often any other looks whether it is one of two.
	aloneTick = cluster.Tick
	aloneRest = time.Second
	// seenEvery is how often the time of the last quorum is written down.
	seenEvery = 500 * time.Millisecond
	// stoodStill is the pause after which a process was stopped, and doubtFor how long
	// it takes a log that was stopped, at the least, to see that it leads no more.
	stoodStill = time.Second
	doubtFor   = 2 * time.Second
	// warrantPause is how long a warrant that could not be kept waits.
	warrantPause = 2 * time.Second
	// checkLimit bounds one question to the devices of a silent node.
	checkLimit = 10 * time.Second
	// powerEvery is how often the devices of a silent node are asked for its power.
	powerEvery = time.Second
)

// Run is the two-node rule's goroutine: it keeps the warrant while the two
// are in touch, and goes on alone by it when they are not.
func (s *Pair) Run(ctx context.Context) {
	if err := s.load(); err != nil {
		s.Warnings.Set("two nodes", err.Error())
		s.Logger.Warn("what is written down for the two-node rule cannot be read; this node does not go on alone",
			"error", err)
	}
	for sleep.For(ctx, s.pause()) {
		if err := s.step(ctx); err != nil && ctx.Err() == nil {
			if s.Warnings.Set("two nodes", err.Error()) {
				s.Logger.Warn("going on alone", "error", err)
			}
		}
	}
}

// pause is how long to wait before the next look. It is long where the rule does
// not apply, because what an idle daemon costs is its wakes.
func (s *Pair) pause() time.Duration {
	if s.applies() {
		return aloneTick
	}
	return aloneRest
}

func (s *Pair) applies() bool {
	return s.parting != nil || s.warrant != nil || s.Log.Root().Document.TwoNode != nil
}

func (s *Pair) load() error {
	s.since = s.up()
	folder := s.Folder
	var err error
	if s.warrant, err = membership.ReadOptional[cluster.Warrant](folder, membership.WarrantFile); err != nil {
		return err
	}
	if s.parting, err = membership.ReadOptional[cluster.Parting](folder, membership.PartingFile); err != nil {
		return err
	}
	if s.parting != nil && s.parting.Result != nil {
		s.parting = nil // the log was taken over before it was opened
	}
	s.quorumAt, s.known = s.lastSeenQuorum()
	return nil
}

// step looks once.
func (s *Pair) step(ctx context.Context) error {
	if s.parting != nil {
		return s.goOn(ctx)
	}
	if !s.applies() || s.wasStopped() {
		return nil
	}
	if s.InQuorum() {
		return s.inTouch()
	}
	if s.warrant == nil {
		return nil
	}
	a := s.apart()
	s.askPower(ctx, a)
	act, why := cluster.Alone(*s.warrant, nil, a)
	if act == cluster.AloneWrite && !s.known {
		act = cluster.AloneWait
		why = message.AloneTurnUnknown.With()
	}
	s.tell(why.String())
	if act != cluster.AloneWrite {
		return nil
	}
	return s.writeDown(why, a.Contact.Silence)
}

// wasStopped reports whether this process or its host stood still until a moment ago.
// What it believes about the quorum may be from before: counted as seen now, it
// would shift this node's turns.
func (s *Pair) wasStopped() bool {
	now := s.up()
	if s.stepped != 0 && now-s.stepped > stoodStill {
		s.doubtUntil = now + doubtFor
	}
	s.stepped = now
	return now < s.doubtUntil
}

func (s *Pair) tell(why string) {
	if s.Warnings.Set("two nodes", why) && why != "" {
		s.Logger.Debug("the two-node rule", "node", s.Node, "waits", why)
	}
}

// inTouch keeps the warrant in line with the State, and the time of the last
// quorum.
func (s *Pair) inTouch() error {
	s.tell("")
	s.quorumAt, s.known = s.up(), true
	s.mu.Lock()
	s.offAfter = 0
	s.mu.Unlock()
	root := s.Log.Root()
	warrant, why := rules.WarrantFor(root, s.aloneStanding(root))
	if !why.IsZero() {
		if s.warrant == nil {
			return nil
		}
		s.warrant = nil
		return s.Folder.Remove(membership.WarrantFile)
	}
	if s.quorumAt-s.written >= seenEvery {
		s.written = s.quorumAt
		if err := s.keepSeenQuorum(s.quorumAt); err != nil {
			return err
		}
	}
	if s.warrant != nil && same(*s.warrant, warrant) || s.quorumAt < s.retryAt {
		return nil
	}
	s.retryAt = s.quorumAt + warrantPause
	// A daemon that starts again without a quorum knows only what lies in the
	// snapshot: without the other node in it, it could not judge its silence.
	if err := s.Log.Snapshot(); err != nil {
		return fmt.Errorf("make the snapshot that going on alone needs: %w", err)
	}
	if err := s.Folder.Write(membership.WarrantFile, warrant); err != nil {
		return err
	}
	s.warrant, s.retryAt = &warrant, 0
	s.Logger.Info("this node may go on alone if it has to", "node", s.Node, "without", warrant.Peer.Node, "favoured",
		warrant.Favoured)
	return nil
}

// apart measures.
func (s *Pair) apart() cluster.Apart {
	root, now := s.Log.Root(), s.up()
	a := cluster.Apart{Boot: s.Boot, Generation: root.Generation, Document: root.Config.Version, For: s.apartFor()}
	if contact := s.contact.Load(); contact != nil {
		a.Contact = *contact
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Busy, a.Tried, a.Rested = s.busy, s.tried, now-max(s.ended, s.since)
	a.OffAfter = s.offAfter
	return a
}

// apartFor is how long this node has been out of quorum; 0, in which it is nobody's
// turn, where that is not known.
func (s *Pair) apartFor() time.Duration {
	if !s.known {
		return 0
	}
	return s.up() - s.quorumAt
}

// writeDown is the point from which the other is not spared: the log is shut, so
// that nothing more can be agreed with it, and the decision is on disk.
func (s *Pair) writeDown(why message.Text, silence time.Duration) error {
	s.Logger.Warn("this node goes on alone: it fences the other one first", "node", s.Node, "without",
		s.warrant.Peer.Node, "why", why)
	s.Log.Shut()
	now := time.Now()
	parting := cluster.Parting{Warrant: *s.warrant, Through: s.Log.LastIndex(), Why: why, At: now,
		LastHeard: now.Add(-silence)}
	if err := s.Folder.Write(membership.PartingFile, parting); err != nil {
		s.End(membership.ErrAgain) // with the log open again, as if nothing had been
		return err
	}
	s.parting, s.since = &parting, s.up()
	return nil
}

// goOn carries a written decision on, until the other is confirmed off or the
// decision is given up. Both end this run of the daemon.
func (s *Pair) goOn(ctx context.Context) error {
	s.Log.Shut() // a daemon that was killed in the middle finds it open
	if result := s.takeResult(); result != nil {
		if next, proven := s.parting.After(*result); proven {
			if err := s.Folder.Write(membership.PartingFile, next); err != nil {
				return err
			}
			s.parting = &next
		}
	}
	a := s.apart()
	s.askPower(ctx, a)
	act, why := cluster.Alone(s.parting.Warrant, s.parting, a)
	s.tell(why.String())
	switch act {
	case cluster.AloneShoot:
		s.shoot(ctx, a)
	case cluster.AloneGiveUp:
		s.Logger.Warn("this node does not go on alone after all", "node", s.Node, "why", why)
		if err := s.Folder.Remove(membership.PartingFile); err != nil {
			return err
		}
		s.End(membership.ErrAgain)
	case cluster.AloneGoOn:
		s.End(membership.ErrAgain) // the next start finds it written down, and takes the log over
	}
	return nil
}

func (s *Pair) takeResult() *fence.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := s.result
	s.result = nil
	return result
}

// shoot begins one attempt. Before each packet it is asked whether it is still
// this node's turn.
func (s *Pair) shoot(ctx context.Context, began cluster.Apart) {
	w := s.parting.Warrant
	s.mu.Lock()
	s.busy = true
	tried := s.tried
	s.mu.Unlock()
	duty := cluster.Duty{Kind: cluster.DutyFence, Act: fence.Act(w.Generation+1, s.parting.Through, tried), Ordinal: tried,
		Node: w.Peer.Node, Victim: w.Peer, Devices: w.LevelToTry(tried), Proven: w.Proven}
	turn := func(context.Context) error {
		if w.MayShoot(cluster.Apart{For: s.apartFor(), OffAfter: began.OffAfter}) {
			return nil
		}
		return fmt.Errorf("the turn of %s is over", s.Node)
	}
	s.Logger.Info("act begins", "act", duty.Act, "kind", string(duty.Kind), "node", duty.Node)
	s.Go(func() {
		result := s.Hands.Fence(ctx, duty, turn)
		s.Logger.Info("act ended", "act", duty.Act, "kind", string(duty.Kind), "node", duty.Node, "outcome",
			string(result.Outcome), "evidence", result.Evidence)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy, s.tried, s.ended, s.result = false, s.tried+1, s.up(), &result
	})
}

// askPower asks the devices of a silent node whether its power is off: if it was
// before it could shoot, there is no turn to wait for. It changes nothing there.
func (s *Pair) askPower(ctx context.Context, a cluster.Apart) {
	w := s.warrant
	if s.parting != nil {
		w = &s.parting.Warrant
	}
	now := s.up()
	s.mu.Lock()
	idle := a.Contact.Silence < cluster.TimingFor(w.Timing).Test || s.offAfter > 0 || s.busy || s.asking ||
		now-s.askedAt < powerEvery || len(w.Levels) == 0
	if !idle {
		s.asking, s.askedAt = true, now
	}
	s.mu.Unlock()
	if idle {
		return
	}
	levels, quorumAt, known := w.Levels, s.quorumAt, s.known
	s.Go(func() {
		off := s.poweredOff(ctx, levels)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.asking = false; off && known {
			s.offAfter = s.up() - quorumAt
		}
	})
}

// poweredOff reports whether all devices of one level say that the power is off.
func (s *Pair) poweredOff(ctx context.Context, levels [][]fence.Device) bool {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	for _, level := range levels {
		off := len(level) > 0
		for _, device := range level {
			driver, err := s.Hands.Driver(device)
			off = off && err == nil && driver.Check(ctx, device).Power == fence.PowerOff
		}
		if off {
			return true
		}
	}
	return false
}
