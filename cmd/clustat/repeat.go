package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/internal/cli"
)

// repeat shows the status again and again until q, Ctrl-C or the context ends it.
func (t *tool) repeat(ctx context.Context, c *urfave.Context) (int, error) {
	every, err := interval(c.String("interval"))
	if err != nil {
		return exitFailure, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	restore := t.watchKeys(cancel)
	defer restore()
	fmt.Fprint(t.out, "\x1b[H\x1b[2J")
	for {
		text := t.page(ctx, c)
		if ctx.Err() != nil {
			return 0, nil
		}
		// One write, line by line over the old picture: nothing is cleared first, so nothing flickers.
		if _, err := io.WriteString(t.out, overdraw(text)); err != nil {
			return exitFailure, err
		}
		timer := time.NewTimer(every)
		select {
		case <-ctx.Done():
			timer.Stop()
			fmt.Fprint(t.out, "\r\n")
			return 0, nil
		case <-timer.C:
		}
	}
}

// page is one picture; an error is part of it, because the next one may be better.
func (t *tool) page(ctx context.Context, c *urfave.Context) string {
	status, remark, err := t.status(ctx, c.Bool("fast"))
	if err != nil {
		return err.Error() + "\n"
	}
	view, _, err := viewOf(c, status)
	if err != nil {
		return err.Error() + "\n"
	}
	view.Remark, view.Width = remark, t.screen().Width
	return cli.Status(status, view)
}

func overdraw(text string) string {
	return "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\r\n") + "\x1b[J"
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
