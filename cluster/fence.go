package cluster

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// AfterAttempt closes the attempt under way.
func (f Fence) AfterAttempt(attempt fence.Attempt, why message.Text) Fence {
	f.Tried = append(f.Tried[:len(f.Tried):len(f.Tried)], attempt)
	if excess := len(f.Tried) - MaxAttempts; excess > 0 {
		f.Tried = append([]fence.Attempt(nil), f.Tried[excess:]...)
	}
	f.TriedTotal++
	f.Fencer, f.Incarnation, f.LastWhy = "", 0, why
	return f
}

// The brake of law L8 where the document says nothing: shots under way at once,
// and how many are allowed within the window, without an operator.
const (
	brakeAtOnce = 1
	BrakeWindow = 10 * time.Minute
	BrakeShots  = 6
)

// Fencing is what the document says about fencing as a whole. A zero field
// means its default.
type Fencing struct {
	// AtOnce is how many nodes may be fenced at the same time.
	AtOnce int `json:"atOnce,omitempty"`
	// Shots is how many nodes may be fenced within Window.
	Shots  int           `json:"shots,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	// Drills is the schedule of drills.
	Drills Drills `json:"drills,omitzero"`
}

// WithDefaults fills in what the document leaves out.
func (f Fencing) WithDefaults() Fencing {
	if f.AtOnce == 0 {
		f.AtOnce = brakeAtOnce
	}
	if f.Shots == 0 {
		f.Shots = BrakeShots
	}
	if f.Window == 0 {
		f.Window = BrakeWindow
	}
	return f
}

// Disarmed says that nothing is shot for a while, because somebody works on the
// network or the fence devices. Nothing is released by it either: what a lost
// node held stays where it is.
type Disarmed struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Index uint64    `json:"index"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// Says is until when, by whom and why.
func (d Disarmed) Says() message.Text {
	return message.DisarmedUntil.With(d.Until.UTC().Format("15:04:05 MST"), d.By, d.Why)
}

// String says it in a sentence without a full stop.
func (d Disarmed) String() string { return d.Says().String() }

// Disarm lets nothing be shot for a while.
type Disarm struct {
	Change
	For time.Duration `json:"for"`
	By  string        `json:"by"`
	Why string        `json:"why,omitempty"`
}

// Arm ends a disarming. The leader proposes it, Expired, when the time is over.
type Arm struct {
	Change
	Expired bool   `json:"expired,omitempty"`
	By      string `json:"by,omitempty"`
}

// Limits of what is kept of a closed fence intent.
const (
	MaxFenceHistory = 256
	AttemptsOfShot  = 16
	LongestEvidence = 2000
)

// Ending says how a fence intent was closed.
type Ending string

// The endings.
const (
	// EndedConfirmed: a device confirmed off.
	EndedConfirmed Ending = "confirmed"
	// EndedByWord: a person answered for it.
	EndedByWord Ending = "confirmed by a person"
	// EndedByBoot: the machine showed a new boot between attempts.
	EndedByBoot Ending = "rebooted"
	// EndedCut: it can write to its disks no more.
	EndedCut Ending = "cut off from its storage"
	// EndedUnproven: a drill that proved nothing.
	EndedUnproven Ending = "proved nothing"
)

// FenceRecord is one fence intent that is closed: who, whom, why, by which
// level, on what evidence, and how long it took.
type FenceRecord struct {
	Node  string `json:"node"`
	Boot  string `json:"boot"`
	Index uint64 `json:"index"`
	// At is when the intent was committed, Ended when it was closed.
	At    time.Time    `json:"at"`
	Ended time.Time    `json:"ended"`
	Why   message.Text `json:"why"`
	By    string       `json:"by,omitempty"`
	Drill bool         `json:"drill,omitempty"`

	Ending Ending `json:"ending"`
	// Fencer, Level (counted from 0) and Devices are those of the last attempt.
	Fencer  string   `json:"fencer,omitempty"`
	Level   int      `json:"level"`
	Devices []string `json:"devices,omitempty"`
	// Attempts counts all, Tried are the last of them.
	Attempts int             `json:"attempts"`
	Tried    []fence.Attempt `json:"tried,omitempty"`
	Evidence message.Text    `json:"evidence,omitzero"`
}

// Took is how long the intent was open.
func (r FenceRecord) Took() time.Duration { return r.Ended.Sub(r.At) }

// How much of an intent that stays open the timeline tells: every attempt at
// first, then one now and then, and in between what is new, but not more often
// than a device can find new words for the same fault.
const (
	AttemptsToldAll  = 24
	longestUntold    = time.Hour
	pauseBetweenNews = 10 * time.Minute
	mostTold         = 32
	longestTold      = 160
)

// ToldAttempt is how an attempt ended that the timeline told of.
type ToldAttempt struct {
	Fencer  string        `json:"fencer"`
	Level   int           `json:"level"`
	Outcome fence.Outcome `json:"outcome"`
	// Words are its evidence as the log has it, without the figures, which differ each time.
	Words string `json:"words"`
}

// DueToTell reports whether the next attempt is one of those that are told whatever
// comes of them: the distance to the last one grows with the age of the intent.
// It is about telling alone, so the entries' own clock will do.
func (f Fence) DueToTell(now time.Time) bool {
	if f.TriedTotal < AttemptsToldAll || f.ToldAt.IsZero() {
		return true
	}
	return now.Sub(f.ToldAt) >= min(longestUntold, max(f.ToldAt.Sub(f.At), pauseBetweenNews))
}

// News reports whether an attempt's end is to be told, and keeps that it was.
func (f *Fence) News(now time.Time, a fence.Attempt, evidence message.Text) bool {
	said, _ := evidence.MarshalJSON() // a text in memory cannot fail
	told := ToldAttempt{Fencer: a.Fencer, Level: a.Level, Outcome: a.Outcome, Words: withoutFigures(string(said))}
	known, same := -1, false
	for i, before := range f.Told {
		if before.Fencer == a.Fencer && before.Level == a.Level {
			known, same = i, before == told
		}
	}
	if !f.Loud && (same || now.Sub(f.ToldAt) < pauseBetweenNews) {
		return false
	}
	list := append([]ToldAttempt(nil), f.Told...)
	if known >= 0 {
		list[known] = told
	} else if list = append(list, told); len(list) > mostTold {
		list = list[len(list)-mostTold:]
	}
	f.Told, f.ToldAt, f.Loud = list, now, false
	return true
}

// withoutFigures drops the digits, so that a sentence with another duration, port
// or generation in it is the same sentence.
func withoutFigures(text string) string {
	words := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	return strings.ToValidUTF8(words[:min(len(words), longestTold)], "")
}

// Briefest bounds what a note quotes of a device, in letters.
const Briefest = 160

// Briefly is the first part of what a device said: why it failed, without the advice, the
// transcript and the second attempt that follow. `clusterd fence status` has all of it.
func Briefly(said message.Text) message.Text {
	evidence := said.Arg("evidence")
	switch {
	case said.Is(message.FenceDoubted) && evidence != "":
	case said.Code() != "":
		return said
	default:
		evidence = said.String()
	}
	evidence, _, _ = strings.Cut(evidence, ";")
	evidence = strings.TrimSpace(evidence)
	if utf8.RuneCountInString(evidence) > Briefest {
		evidence = string([]rune(evidence)[:Briefest-3]) + "..."
	}
	return message.Words(evidence)
}

// PowerOn is power that is asked for again after a confirmed off: the second
// half of a reboot or of a drill. It is best effort. Nothing depends on it, and
// a new boot of the machine is all that counts.
type PowerOn struct {
	Node       string    `json:"node"`
	Index      uint64    `json:"index"`
	Generation uint64    `json:"generation"`
	At         time.Time `json:"at"`
	Level      int       `json:"level"`
	// Fencer is who asks the devices, in its present incarnation.
	Fencer      string `json:"fencer"`
	Incarnation uint64 `json:"incarnation"`
	By          string `json:"by,omitempty"`
}

// PowerOnDone is how that ended; an empty Problem says that every device took
// the command.
type PowerOnDone struct {
	Change
	Node        string       `json:"node"`
	Act         uint64       `json:"act"`
	Fencer      string       `json:"fencer"`
	Incarnation uint64       `json:"incarnation"`
	Problem     message.Text `json:"problem,omitzero"`
}

// powerDuties are the nodes for whose power this one asks now.
func powerDuties(s *State, n Member) []Duty {
	var duties []Duty
	for _, name := range s.PowerOns.Keys() {
		asked, _ := s.PowerOns.Get(name)
		victim, known := s.Nodes.Get(name)
		if asked.Fencer != n.Name || asked.Incarnation != n.Incarnation || !known || victim.State != NodeFenced ||
			s.Fences.Has(name) {
			continue
		}
		d := Duty{Kind: DutyPowerOn, Node: name, Index: asked.Index, Incarnation: n.Incarnation,
			Act: fence.Act(asked.Generation, asked.Index, 0)}
		if levels := s.Document.Nodes[name].Fence; asked.Level < len(levels) {
			for _, device := range levels[asked.Level].Devices {
				d.Devices = append(d.Devices, s.Document.Devices[device])
			}
		}
		duties = append(duties, d)
	}
	return duties
}

// Fence is an open fence intent.
type Fence struct {
	Node       string       `json:"node"`
	Boot       string       `json:"boot"`
	Index      uint64       `json:"index"`
	Generation uint64       `json:"generation"`
	At         time.Time    `json:"at"`
	Why        message.Text `json:"why"`
	By         string       `json:"by,omitempty"`
	// Tried are the finished attempts, newest last.
	Tried []fence.Attempt `json:"tried,omitempty"`
	// TriedTotal also counts attempts no longer listed.
	TriedTotal int `json:"triedTotal,omitempty"`
	// Fencer, Level and Incarnation are the attempt under way; Fencer is empty
	// between attempts.
	Fencer      string       `json:"fencer,omitempty"`
	Incarnation uint64       `json:"incarnation,omitempty"`
	Level       int          `json:"level,omitempty"`
	LastWhy     message.Text `json:"lastWhy,omitzero"`
	// Drill: the node holds nothing, and what is tested is the device.
	Drill bool `json:"drill,omitempty"`
	// Reboot: power is asked for again once it is confirmed off.
	Reboot bool `json:"reboot,omitempty"`
	// Document is the version of the document that the drill's devices are from: a
	// proof is about what was declared then (law L3).
	Document uint64  `json:"document,omitempty"`
	Story    []Phase `json:"story,omitempty"`
	// ToldAt is when the timeline last told of an attempt, Loud that it is to tell
	// of the one under way, Told what it told of each fencer and level.
	ToldAt time.Time     `json:"toldAt,omitzero"`
	Loud   bool          `json:"loud,omitempty"`
	Told   []ToldAttempt `json:"told,omitempty"`
}

// UnderWayBy reports whether the node that an attempt was given to may still carry it out.
func (f Fence) UnderWayBy(fencer Member) bool {
	return fencer.Reachable() && !fencer.StandsBy() && fencer.Incarnation == f.Incarnation
}

// Shot is one fence intent, as the brake counts it (law L8).
type Shot struct {
	Node  string    `json:"node"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
}

// DeviceCheck is what a fence device last answered.
type DeviceCheck struct {
	Power fence.Power `json:"power"`
	// Identity is what it told last of its host, whoever asked; an answer without one takes nothing
	// back.
	Identity string    `json:"identity,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
}

// Proof is what a drill showed: this device cut that machine's power. It lasts
// until the device's declaration or the machine changes (law L3).
type Proof struct {
	Node    string    `json:"node"`
	Machine string    `json:"machine"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
}
