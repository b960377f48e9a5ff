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

	"github.com/clusterd/clusterd/internal/api"
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
	m := model{view: func(status api.Status) (cli.View, int, error) { return viewOf(c, status) }, screen: t.screen()}
	if !m.screen.Terminal {
		return t.print(ctx, m, c.Bool("fast"), every)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	keys, restore := t.readKeys()
	defer restore()
	fmt.Fprint(t.out, enterPage)
	defer fmt.Fprint(t.out, leavePage)
	return t.watch(ctx, m, c.Bool("fast"), every, keys)
}

// print is repeat where nobody watches: one text after the other.
func (t *tool) print(ctx context.Context, m model, fast bool, every time.Duration) (int, error) {
	for {
		m.answer = t.ask(ctx, fast)
		if ctx.Err() != nil {
			return 0, nil
		}
		if _, err := io.WriteString(t.out, strings.Join(m.lines(), "\n")+"\n\n"); err != nil {
			return exitFailure, err
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-time.After(every):
		}
	}
}

func (t *tool) ask(ctx context.Context, fast bool) answer {
	status, remark, err := t.status(ctx, fast)
	cli.LocalTexts(&status)
	return answer{status, remark, err}
}

// watch draws what is answered, and again at each key and each change of the screen's size. The
// cluster is asked beside it: keys work while it takes its time.
func (t *tool) watch(ctx context.Context, m model, fast bool, every time.Duration, keys <-chan key) (int, error) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	answers := make(chan answer, 1)
	ask := func() { go func() { answers <- t.ask(ctx, fast) }() }
	ask()
	timer := time.NewTimer(every)
	defer timer.Stop()
	timer.Stop()
	answered := false
	for {
		select {
		case <-ctx.Done():
			return 0, nil
		case m.answer = <-answers:
			answered = true
			timer.Reset(every)
		case <-timer.C:
			ask()
			continue
		case <-resized:
		case k, more := <-keys:
			if !more || k == keyQuit {
				return 0, nil
			}
			if answered {
				m = m.pressed(k)
			}
		}
		if !answered || ctx.Err() != nil {
			continue
		}
		m.screen = t.screen()
		m = m.bounded()
		// One write for the whole picture, line by line over the old one: nothing is cleared first,
		// so nothing flickers.
		if _, err := io.WriteString(t.out, m.draw()); err != nil {
			return exitFailure, err
		}
	}
}

// readKeys reads what is pressed; the channel is closed when the terminal is gone. The returned
// function gives the terminal back. Where nothing can be pressed the channel is nil.
func (t *tool) readKeys() (keys <-chan key, restore func()) {
	if t.in == nil || !term.IsTerminal(int(t.in.Fd())) {
		return nil, func() {}
	}
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return nil, func() {}
	}
	pressed := make(chan key, 16)
	go func() {
		// The goroutine ends with the process: a read of a terminal cannot be called off.
		defer close(pressed)
		text, rest := make([]byte, 64), ""
		for {
			n, err := t.in.Read(text)
			if err != nil || n == 0 {
				return
			}
			var found []key
			found, rest = keysOf(rest + string(text[:n]))
			for _, k := range found {
				pressed <- k
			}
		}
	}()
	return pressed, func() { _ = term.Restore(int(t.in.Fd()), before) }
}
