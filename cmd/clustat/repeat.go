package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/internal/cli"
)

// What a terminal is told. The picture is drawn on the terminal's second page,
// so that what stood there before is there again afterwards.
const (
	enterPage = "\x1b[?1049h\x1b[?25l"
	leavePage = "\x1b[?25h\x1b[?1049l"
	goHome    = "\x1b[H"
	eraseLine = "\x1b[K"
	eraseRest = "\x1b[J"
)

// repeat shows the status again and again until q, Ctrl-C or the context ends it.
func (t *tool) repeat(ctx context.Context, c *urfave.Context) (int, error) {
	every, err := interval(c.String("interval"))
	if err != nil {
		return exitFailure, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := t.screen().Terminal
	if watched {
		defer t.watchKeys(cancel)()
		fmt.Fprint(t.out, enterPage)
		defer fmt.Fprint(t.out, leavePage)
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for {
		text := t.page(ctx, c)
		if ctx.Err() != nil {
			return 0, nil
		}
		if watched {
			text = frame(text, t.screen())
		} else {
			text += "\n"
		}
		// One write for the whole picture, line by line over the old one: nothing is cleared first, so nothing flickers.
		if _, err := io.WriteString(t.out, text); err != nil {
			return exitFailure, err
		}
		timer := time.NewTimer(every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, nil
		case <-resized:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// page is one picture; an error is part of it, because the next one may be better.
func (t *tool) page(ctx context.Context, c *urfave.Context) string {
	width := t.screen().Width
	status, remark, err := t.status(ctx, c.Bool("fast"))
	if err != nil {
		return cli.Wrap(err.Error(), "", "", width)
	}
	view, _, err := viewOf(c, status)
	if err != nil {
		return cli.Wrap(err.Error(), "", "", width)
	}
	view.Remark, view.Width = remark, width
	view.Terminal = t.screen().Terminal
	view.NotesFirst = view.Terminal // A screen that is too small cuts the end off.
	return cli.Status(cli.StatusInLocalTime(status), view)
}

// frame is the picture as it is drawn over the one before. It never has more
// lines or columns than the screen: a terminal that scrolls would tear it apart.
func frame(text string, screen cli.Screen) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if room := screen.Height; room > 1 && len(lines) > room {
		hidden := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], fmt.Sprintf("... %d more lines; enlarge the window, or use -s or -m", hidden))
	}
	for i, line := range lines {
		if letters := []rune(line); len(letters) > screen.Width {
			lines[i] = string(letters[:screen.Width])
		}
	}
	return goHome + strings.Join(lines, eraseLine+"\r\n") + eraseLine + eraseRest
}

// watchKeys calls quit when q or Ctrl-C is pressed. The returned function gives the terminal back.
func (t *tool) watchKeys(quit func()) (restore func()) {
	if t.in == nil || !term.IsTerminal(int(t.in.Fd())) {
		return func() {}
	}
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return func() {}
	}
	go func() {
		// The goroutine ends with the process: a read of a terminal cannot be called off.
		key := make([]byte, 1)
		for {
			if n, err := t.in.Read(key); err != nil || n == 0 {
				quit() // the terminal is gone
				return
			}
			if key[0] == 'q' || key[0] == 'Q' || key[0] == 3 {
				quit()
				return
			}
		}
	}()
	return func() { _ = term.Restore(int(t.in.Fd()), before) }
}
