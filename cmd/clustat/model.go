package main

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// answer is what the cluster said at one time.
type answer struct {
	status api.Status
	remark string
	err    error
}

// model is all that the screen of clustat -i depends on: what was answered, what is chosen of
// it, the size of the screen, and how far a person has scrolled.
type model struct {
	answer answer
	view   func(api.Status) (cli.View, int, error)
	screen cli.Screen
	// top is the first line of the text that is shown.
	top int
}

// lines is the whole text, of which the screen shows a part. An error is part of it, because
// the next answer may be better.
func (m model) lines() []string {
	text, view, err := "", cli.View{}, m.answer.err
	if err == nil {
		view, _, err = m.view(m.answer.status)
	}
	if err != nil {
		text = cli.Wrap(err.Error(), "", "", m.screen.Width)
	} else {
		view.Remark, view.Width = m.answer.remark, m.screen.Width
		view.Terminal, view.Colour = m.screen.Terminal && !view.Classic, m.screen.Colour && !view.Classic
		view.NotesFirst = m.screen.Terminal // What waits for a person is read first, also on a small screen.
		text = cli.Status(cli.StatusInLocalTime(m.answer.status), view)
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// room is how many lines of the text fit above the line that tells the keys.
func (m model) room() int {
	if m.screen.Height < 2 {
		return 1 << 20 // The height is not known.
	}
	return m.screen.Height - 1
}

// pressed is the model after a key.
func (m model) pressed(k key) model {
	switch k {
	case keyUp:
		m.top--
	case keyDown:
		m.top++
	case keyPageUp:
		m.top -= m.room() - 1 // One line stays, so that the eye finds its place.
	case keyPageDown:
		m.top += m.room() - 1
	case keyHome:
		m.top = 0
	case keyEnd:
		m.top = 1 << 20
	}
	return m.bounded()
}

// bounded keeps the last line of the text at the end of the screen at most: a text that has
// become shorter, or a screen that has become larger, leaves no empty room.
func (m model) bounded() model {
	m.top = max(min(m.top, len(m.lines())-m.room()), 0)
	return m
}

// draw is the picture as it is drawn over the one before. It never has more lines or columns
// than the screen: a terminal that scrolls would tear it apart.
func (m model) draw() string {
	lines := m.lines()
	end := min(m.top+m.room(), len(lines))
	shown := append(lines[m.top:end:end], m.footer(end, len(lines)))
	for i, line := range shown {
		shown[i] = cli.CutLine(line, m.screen.Width)
	}
	return goHome + strings.Join(shown, eraseLine+"\r\n") + eraseLine + eraseRest
}

// footer tells the keys, and where in the text a person is.
func (m model) footer(end, all int) string {
	if all <= m.room() {
		return "q: quit"
	}
	where := fmt.Sprintf("lines %d-%d of %d", m.top+1, end, all)
	if below := all - end; below > 0 {
		where += fmt.Sprintf(", %d more below", below)
	}
	return where + "  arrows, PgUp, PgDn, Home, End: scroll  q: quit"
}
