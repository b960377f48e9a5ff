package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/message"
)

// badNight is a cluster with more to say than fits a plain terminal.
func badNight() model {
	status := alpha()
	status.Nodes[1] = api.Node{Name: "node2", ID: 17, State: "fencing", Unprotected: "12 attempts proved nothing"}
	status.Notes = []cluster.Note{{Subject: "node2", Why: message.Words("node2 cannot be confirmed off")}}
	for i := range 30 {
		status.Services = append(status.Services, api.Service{Name: fmt.Sprintf("vm:customer%02d", i), State: 112,
			StateText: "started", Owner: "node2"})
	}
	return model{answer: answer{status: status}, screen: cli.Screen{Terminal: true, Width: 80, Height: 24},
		view: func(api.Status) (cli.View, int, error) { return cli.View{}, 0, nil }}
}

// rows are what a terminal shows of a picture.
func rows(picture string) []string {
	picture = strings.TrimSuffix(strings.TrimPrefix(picture, goHome), eraseRest)
	var list []string
	for row := range strings.SplitSeq(picture, "\r\n") {
		list = append(list, strings.TrimSuffix(row, eraseLine))
	}
	return list
}

func TestAPictureFitsItsScreenWhateverIsPressed(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 5}, {80, 2}} {
		m := badNight()
		m.screen.Width, m.screen.Height = size[0], size[1]
		seen := map[string]bool{}
		for _, k := range []key{keyNone, keyUp, keyDown, keyPageDown, keyPageDown, keyPageUp, keyEnd, keyDown, keyHome,
			keyDown, keyDown} {
			m = m.pressed(k)
			shown := rows(m.draw())
			if len(shown) != size[1] {
				t.Errorf("%v: %d rows", size, len(shown))
			}
			for _, row := range shown {
				if utf8.RuneCountInString(row) > size[0] {
					t.Errorf("%v: a row of %d columns: %q", size, utf8.RuneCountInString(row), row)
				}
			}
			for _, row := range shown[:len(shown)-1] {
				seen[row] = true
			}
			if last := shown[len(shown)-1]; !strings.HasPrefix(last, "lines ") {
				t.Errorf("%v: the last line tells no place: %q", size, last)
			}
		}
		if size[1] == 24 {
			for _, line := range m.lines() {
				if !seen[cli.CutLine(line, size[0])] {
					t.Errorf("%v: %q can never be seen", size, line)
				}
			}
		}
	}
}

func TestKeysAreToldAndTheNotesComeFirst(t *testing.T) {
	m := badNight()
	shown := rows(m.draw())
	want := "lines 1-23 of " + fmt.Sprint(len(m.lines())) + ", "
	last := shown[23]
	if !strings.HasPrefix(last, want) || !strings.Contains(last, "PgDn") || !strings.HasSuffix(last, "q: quit") {
		t.Errorf("the last line is %q", last)
	}
	text := strings.Join(shown, "\n")
	note, table := strings.Index(text, "node2 cannot be confirmed off"), strings.Index(text, "Member Name")
	if note < 0 || note > table {
		t.Errorf("the notes do not come first:\n%s", text)
	}
	m.answer.status.Services = nil
	if shown := rows(m.bounded().draw()); shown[len(shown)-1] != "q: quit" {
		t.Errorf("what fits is not scrolled: %q", shown[len(shown)-1])
	}
}

func TestScrollingGoesBackWhenThereIsLess(t *testing.T) {
	m := badNight().pressed(keyEnd)
	all := len(m.lines())
	if m.top != all-23 {
		t.Errorf("the end begins at %d of %d", m.top, all)
	}
	m.answer = answer{err: errors.New("nobody answers")}
	m = m.bounded()
	if shown := rows(m.draw()); m.top != 0 || shown[0] != "nobody answers" {
		t.Errorf("an error stands at %d: %q", m.top, shown)
	}
}

func TestColoursAreForTroubleAndStayInTheirLine(t *testing.T) {
	m := badNight()
	m.screen.Colour = true
	marked := map[string]bool{}
	for _, row := range rows(m.draw()) {
		if strings.Count(row, "\x1b[0m") != strings.Count(row, "\x1b[")-strings.Count(row, "\x1b[0m") {
			t.Errorf("a colour is left on: %q", row)
		}
		for _, word := range []string{" node1 ", " node2 ", "vm:web", "vm:customer00"} {
			if strings.Contains(row, word) && !strings.Contains(row, ":  ") {
				marked[word] = marked[word] || strings.Contains(row, "\x1b[1;31m")
			}
		}
	}
	want := map[string]bool{" node1 ": false, " node2 ": true, "vm:web": false, "vm:customer00": true}
	if !reflect.DeepEqual(marked, want) {
		t.Errorf("marked are %v, want %v", marked, want)
	}
	m.view = func(api.Status) (cli.View, int, error) { return cli.View{Classic: true}, 0, nil }
	if text := m.draw(); strings.Contains(text, "\x1b[1;31m") {
		t.Errorf("--classic has colours: %q", text)
	}
}

func TestKeysOfTerminals(t *testing.T) {
	for typed, want := range map[string][]key{
		"q": {keyQuit}, "\x03": {keyQuit}, "xyz": nil, "jk": {keyDown, keyUp}, " b": {keyPageDown, keyPageUp},
		"\x1b[A\x1b[B": {keyUp, keyDown}, "\x1bOA\x1bOB": {keyUp, keyDown}, "\x1b[5~\x1b[6~": {keyPageUp, keyPageDown},
		"\x1b[H\x1b[F\x1b[1~\x1b[4~": {keyHome, keyEnd, keyHome, keyEnd}, "\x1b[1;5Cq": {keyQuit}, "\x1bq": {keyQuit},
		"\x1b[" + strings.Repeat("1;", 40): nil,
	} {
		if got, _ := keysOf(typed); !reflect.DeepEqual(got, want) {
			t.Errorf("%q are the keys %v, want %v", typed, got, want)
		}
		// The same, a byte at a time.
		var got []key
		rest := ""
		for i := range len(typed) {
			var found []key
			found, rest = keysOf(rest + typed[i:i+1])
			got = append(got, found...)
			if len(rest) > longestSequence {
				t.Fatalf("%q: %d bytes are kept", typed, len(rest))
			}
		}
		if !reflect.DeepEqual(got, want) && len(typed) < longestSequence {
			t.Errorf("%q byte by byte are the keys %v, want %v", typed, got, want)
		}
	}
}
