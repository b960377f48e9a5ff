package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Limits of the document's history. A change of a few lines costs a few hundred
// bytes; a history of hundreds of such changes fits, and one of whole documents
// keeps the newest.
const (
	maxRevisions    = 200
	maxHistoryBytes = 1 << 20
	maxSummary      = 200
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

// revise puts a document's text into force and keeps the old one. States of
// level one keep no history: older binaries would not have it.
func (t *transaction) revise(c Configure) {
	next := Config{Version: t.Config.Version + 1, Text: c.Text, At: t.at, By: c.By}
	if t.Level >= levelTwo {
		if t.Config.Version > 0 {
			t.History = keepRevision(t.History, t.Config, c.Text)
		}
		next.Reason, next.Summary = c.Reason, cut(c.Summary, maxSummary)
	}
	if c.Document.TwoNode != nil {
		next.Index = t.index
	}
	t.Config = next
}

// keepRevision returns the history with one more revision in it, and without the
// oldest where there are too many.
func keepRevision(history []Revision, old Config, later string) []Revision {
	kept := append(history[:len(history):len(history)], Revision{Version: old.Version, At: old.At, By: old.By, Reason: old.Reason, Summary: old.Summary,
		Pieces: piecesOf(old.Text, later), Sum: sum(old.Text)})
	kept = kept[max(0, len(kept)-maxRevisions):]
	size := 0
	for i := len(kept) - 1; i >= 0; i-- {
		size += kept[i].size()
		if size > maxHistoryBytes {
			return kept[i+1:]
		}
	}
	return kept
}

func (r Revision) size() int {
	size := len(r.Reason) + len(r.Summary)
	for _, piece := range r.Pieces {
		size += pieceCost + len(piece.Text)
	}
	return size
}

// TextOf puts the text of a version together. It is false when the version was
// never in force, is not kept any more, or does not come out as it was.
func (s *State) TextOf(version uint64) (string, bool) {
	if version == s.Config.Version {
		return s.Config.Text, version > 0
	}
	text := s.Config.Text
	for i := len(s.History) - 1; i >= 0; i-- {
		earlier, whole := assemble(s.History[i].Pieces, text)
		if !whole || sum(earlier) != s.History[i].Sum {
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

func (l lineTable) count() int      { return len(l.starts) - 1 }
func (l lineTable) at(i int) string { return l.text[l.starts[i]:l.starts[i+1]] }

func sum(text string) string {
	full := sha256.Sum256([]byte(text))
	return hex.EncodeToString(full[:8])
}

// cut bounds a text, at a letter's edge.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
