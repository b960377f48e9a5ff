// Package cluster is what is known (State), what was decided (Command), and who
// has to do it (Work). The rooms below it are what becomes of that:
//
//   - rules: what Plan and Apply both ask of a read-only World;
//   - apply: how a decision becomes knowledge, the only one that writes a State;
//   - plan: what should be decided next, and why not something else;
//   - rehearse: what would happen, on a copy;
//   - mind: the one step of a node that ties them together (Node.Step).
//
// All of them are pure. None has no clock, timer, randomness, goroutine, lock,
// file, socket or log call; `now` is an argument; maps are walked by sorted
// key. The same input gives the same output, so that a history can be replayed
// and simulated.
//
// Duties of a caller:
//   - one goroutine applies committed entries in order and hands out Fork()s;
//   - one goroutine calls Step, with every reading of its clock monotonic;
//   - Commands are proposed to the log as they come out; nothing is done that
//     is not a Duty handed out by Step from the applied State;
//   - results of duties go back into Step and are never dropped.
//
// The laws that Apply enforces are written down in docs/laws.md.
package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Going is what a person asked for that will take a running service down; "" if
// nothing does.
func (s Service) Going() Operation {
	if s.Wish == nil {
		return ""
	}
	switch s.Wish.Op {
	case OpDisable, OpStop, OpRestart, OpRelocate:
		return s.Wish.Op
	}
	return ""
}

// Document is the parsed cluster document: what the administrator declared.
// internal/config parses, checks and prints it; Apply takes it in.
type Document struct {
	// Cluster is the cluster's name.
	Cluster string `json:"cluster"`
	// Timing is the profile: fast, normal, relaxed.
	Timing string `json:"timing,omitempty"`
	// Fencing are the numbers of the brake, and what else concerns all devices.
	Fencing  Fencing                   `json:"fencing,omitzero"`
	Nodes    map[string]NodeSpec       `json:"nodes,omitempty"`
	Domains  map[string]domain.Domain  `json:"domains,omitempty"`
	Devices  map[string]fence.Device   `json:"devices,omitempty"`
	Services map[string]resources.Spec `json:"services,omitempty"`
	// StartAtOnce is how many services may be starting at the same time in the
	// whole cluster; 0 is no limit.
	StartAtOnce int `json:"startAtOnce,omitempty"`
	// StopGrace is how long a daemon that was stopped on purpose is waited for while its
	// kernel answers; 0 is DefaultStopGrace.
	StopGrace time.Duration `json:"stopGrace,omitempty"`
	// TwoNode lets one of two nodes go on without the other; nil forbids it.
	TwoNode *TwoNode `json:"twoNode,omitempty"`
	// Allowance is how full each node may become.
	Allowance Allowance `json:"allowance,omitzero"`
	// Networks are those that guests are attached to, by name.
	Networks map[string]resources.Network `json:"networks,omitempty"`
	// Alerts are who is told of events, by name.
	Alerts map[string]Alert `json:"alerts,omitempty"`
	// Web is the page that every node serves; nil where none does.
	Web *Web `json:"web,omitempty"`
}

// Web says how each node serves the page.
type Web struct {
	// Listen is HOST:PORT; without a host each node listens on its own address.
	Listen string `json:"listen"`
	// Certificate and Key are files on each node, in PEM; empty for a certificate of the cluster's
	// own authority.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// NodeSpec is what the document says about a node. A node that has joined but
// is not in the document runs services too; it is shown unprotected.
type NodeSpec struct {
	// Fence are the levels, tried in order.
	Fence []fence.Level `json:"fence,omitempty"`
	// Site is a label by which voters are spread.
	Site string `json:"site,omitempty"`
	// Allowance is how full the node may become, where it differs from the cluster's.
	Allowance Allowance `json:"allowance,omitzero"`
}

// Limits of the document's history. A change of a few lines costs a few hundred
// bytes; a history of hundreds of such changes fits, and one of whole documents
// keeps the newest.
const (
	MaxRevisions    = 200
	MaxHistoryBytes = 1 << 20
	MaxSummary      = 200
	// pieceCost is what a piece is counted with beside its text.
	pieceCost = 16
	// candidates bounds how many places of a line are compared.
	candidates = 8
)

// Revision is a version of the document that was in force before the present
// one. Its text is kept as what differs from the version after it, so it can only
// be read back from the newest one down.
type Revision struct {
	Version uint64    `json:"version"`
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Summary string    `json:"summary,omitempty"`
	Pieces  []Piece   `json:"pieces,omitempty"`
	// Sum is that of the text: a text put together wrongly must not be mistaken
	// for a document.
	Sum string `json:"sum"`
}

// Piece is a stretch of the later text, or a text of its own where Length is 0.
type Piece struct {
	From   int    `json:"from,omitempty"`
	Length int    `json:"length,omitempty"`
	Text   string `json:"text,omitempty"`
}

// KeepRevision returns the history with one more revision in it, and without the
// oldest where there are too many.
func KeepRevision(history []Revision, old Config, later string) []Revision {
	kept := append(history[:len(history):len(history)], Revision{Version: old.Version, At: old.At, By: old.By,
		Reason: old.Reason, Summary: old.Summary,
		Pieces: piecesOf(old.Text, later), Sum: words.Sum(old.Text)})
	kept = kept[max(0, len(kept)-MaxRevisions):]
	size := 0
	for i := len(kept) - 1; i >= 0; i-- {
		size += kept[i].Size()
		if size > MaxHistoryBytes {
			return kept[i+1:]
		}
	}
	return kept
}

// Size is about what the revision takes in the State, in bytes.
func (r Revision) Size() int {
	size := len(r.Reason) + len(r.Summary)
	for _, piece := range r.Pieces {
		size += pieceCost + len(piece.Text)
	}
	return size
}

// TextOf puts the text of a version together. It is false when the version was
// never in force, is no longer kept, or does not come out as it was.
func (s *State) TextOf(version uint64) (string, bool) {
	if version == s.Config.Version {
		return s.Config.Text, version > 0
	}
	text := s.Config.Text
	for i := len(s.History) - 1; i >= 0; i-- {
		earlier, whole := assemble(s.History[i].Pieces, text)
		if !whole || words.Sum(earlier) != s.History[i].Sum {
			return "", false
		}
		if s.History[i].Version == version {
			return earlier, true
		}
		text = earlier
	}
	return "", false
}

// assemble makes the earlier text from the later one.
func assemble(pieces []Piece, later string) (string, bool) {
	var out strings.Builder
	for _, piece := range pieces {
		if piece.Length == 0 {
			out.WriteString(piece.Text)
			continue
		}
		if piece.From < 0 || piece.Length < 0 || piece.Length > len(later)-piece.From {
			return "", false
		}
		out.WriteString(later[piece.From : piece.From+piece.Length])
	}
	return out.String(), true
}

// piecesOf says how the earlier text is made from the later one: by whole lines,
// taking the longest stretch that both have wherever it stands in the later one.
func piecesOf(earlier, later string) []Piece {
	lines, old := linesOf(later), linesOf(earlier)
	places := map[string][]int{}
	for i := range lines.count() {
		if line := lines.at(i); len(places[line]) < candidates {
			places[line] = append(places[line], i)
		}
	}
	var pieces []Piece
	for i := 0; i < old.count(); {
		from, length := 0, 0
		for _, place := range places[old.at(i)] {
			if n := alike(old, i, lines, place); n > length {
				from, length = place, n
			}
		}
		if length == 0 {
			pieces = withText(pieces, old.at(i))
			i++
			continue
		}
		pieces = append(pieces, Piece{From: lines.starts[from], Length: lines.starts[from+length] - lines.starts[from]})
		i += length
	}
	return pieces
}

// alike counts the lines that are the same in both from there on.
func alike(a lineTable, i int, b lineTable, j int) int {
	n := 0
	for i+n < a.count() && j+n < b.count() && a.at(i+n) == b.at(j+n) {
		n++
	}
	return n
}

// withText adds a line to the text that is written out.
func withText(pieces []Piece, line string) []Piece {
	if last := len(pieces) - 1; last >= 0 && pieces[last].Length == 0 {
		pieces[last].Text += line
		return pieces
	}
	return append(pieces, Piece{Text: line})
}

// lineTable is a text with the starts of its lines; the last start is its end.
type lineTable struct {
	text   string
	starts []int
}

func linesOf(text string) lineTable {
	table := lineTable{text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' || i == len(text)-1 {
			table.starts = append(table.starts, i+1)
		}
	}
	return table
}

func (l lineTable) count() int { return len(l.starts) - 1 }

func (l lineTable) at(i int) string { return l.text[l.starts[i]:l.starts[i+1]] }

// ReadyWithin is how long a started service may take to answer its probe before
// those of later tiers are started all the same. Nothing probes it longer.
const ReadyWithin = 2 * time.Minute

// A service made of resources takes a changed declaration in while it runs: what
// is gone is stopped, what is new is started, what changed is changed in place or
// stopped and started, and nothing else is touched. A
// VM takes its definition in when it starts.

// Behind says why a service goes on as it was declared before.
type Behind struct {
	// Definition is the one that is not in force.
	Definition string       `json:"definition"`
	Why        message.Text `json:"why"`
	At         time.Time    `json:"at"`
}

// BehindWhy says why a running service goes on as it was declared before, empty
// when it does not.
func (s Service) BehindWhy() message.Text {
	h, held := s.Holder(s.Owner)
	switch {
	case !held || h.Definition == "" || h.Definition == s.Spec.Definition:
		return message.Text{}
	case s.Behind != nil && s.Behind.Definition == s.Spec.Definition:
		return s.Behind.Why
	case !s.Spec.Traits().Parts:
		return message.DeclarationNextStart.With(s.Spec.Name)
	case !s.Enabled && s.State == resources.Started && s.Wish == nil:
		return message.DeclarationDisabled.With(s.Spec.Name)
	}
	return message.DeclarationPending.With()
}

// Begins reports whether an event is the beginning of an act.
func (e Event) Begins() bool {
	switch e.To {
	case resources.Starting.String(), resources.Stopping.String(), resources.Migrating.String():
		return e.From != e.To
	}
	return false
}

// Clash says why two services may not be on one node. A Spec is large and this is
// asked for each pair of services, so neither is copied.
func Clash(one, other *resources.Spec) (why message.Text, exclusive bool) {
	switch {
	case one.Exclusive:
		return message.ClashExclusive.With(other.Name), true
	case other.Exclusive:
		return message.ClashWithExclusive.With(other.Name), true
	case slices.Contains(one.Apart, other.Name) || slices.Contains(other.Apart, one.Name):
		return message.ClashApart.With(other.Name), false
	}
	return message.Text{}, false
}

// Up reports whether a service does its work; during a live migration it does.
func (s Service) Up() bool {
	return s.State == resources.Started || s.State == resources.Migrating
}
