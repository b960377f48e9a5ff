package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/clusterd/clusterd/test/stage"
)

// teller prints the story and keeps what was checked.
type teller struct {
	out    io.Writer
	label  string
	began  time.Time
	step   int
	passed int
	failed []string
}

func newTeller(out io.Writer) *teller { return &teller{out: out, began: time.Now()} }

// headline begins a step. It tells how long the story has taken so far.
func (t *teller) headline(format string, values ...any) {
	t.step++
	label := ""
	if t.label != "" {
		label = "[" + t.label + "] "
	}
	title := fmt.Sprintf("%s%d. %s", label, t.step, fmt.Sprintf(format, values...))
	fmt.Fprintf(t.out, "\n%s\n=== %6.1f s === %s\n", strings.Repeat("=", 80), time.Since(t.began).Seconds(), title)
}

// say prints a sentence.
func (t *teller) say(format string, values ...any) {
	fmt.Fprintf(t.out, format+"\n", values...)
}

// typed shows a command as an administrator types it, what it said and how long it took.
func (t *teller) typed(prompt, command string, result stage.Result) {
	fmt.Fprintf(t.out, "\n%s%s\n", prompt, command)
	if said := strings.TrimRight(result.Output, "\n"); said != "" {
		fmt.Fprintln(t.out, said)
	}
	if !result.OK() {
		fmt.Fprintf(t.out, "(exit code %d)\n", result.Code)
	}
	if result.Took > time.Second {
		fmt.Fprintf(t.out, "(took %s)\n", span(result.Took))
	}
}

// check prints a claim and whether it holds. A claim that does not hold ends the demonstration
// badly, but not at once.
func (t *teller) check(holds bool, claim string, values ...any) {
	claim = fmt.Sprintf(claim, values...)
	if holds {
		t.passed++
		fmt.Fprintf(t.out, "  [ok]     %s\n", claim)
		return
	}
	t.failed = append(t.failed, fmt.Sprintf("step %d: %s", t.step, claim))
	fmt.Fprintf(t.out, "  [FAILED] %s\n", claim)
}

// checkNone is check for a claim that holds when there is no error.
func (t *teller) checkNone(err error, claim string, values ...any) {
	claim = fmt.Sprintf(claim, values...)
	if err != nil {
		claim += ": " + err.Error()
	}
	t.check(err == nil, "%s", claim)
}

func span(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
