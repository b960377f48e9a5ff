package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/membership"
)

// TestARemovedNodeIsNotStartedAgain: its daemon ends with the one code after which the unit leaves
// it down. Whatever else ends a daemon, it is started again.
func TestARemovedNodeIsNotStartedAgain(t *testing.T) {
	unit, err := os.ReadFile("../../packaging/clusterd.service")
	if err != nil {
		t.Fatal(err)
	}
	const line = "\nRestartPreventExitStatus="
	_, rest, _ := strings.Cut(string(unit), line)
	prevented, _, _ := strings.Cut(rest, "\n")
	if strings.Count(string(unit), line) != 1 || !strings.Contains(string(unit), "\nRestart=on-failure\n") {
		t.Errorf("the unit has not one list of codes, or does not start the daemon again:\n%s", unit)
	}
	for _, c := range []struct {
		err  error
		ends bool
	}{{fmt.Errorf("admission: %w", membership.ErrRemoved), true}, {errors.New("any other"), false},
		{command.Usage("wrong"), false}, {errPartly, false}} {
		if code := strconv.Itoa(exitCode(c.err)); (code == prevented) != c.ends {
			t.Errorf("%v ends with %s, and the unit does not start it again after %s", c.err, code, prevented)
		}
	}
}

// Whatever is wrong with the words of a command line is exit code 2, and the message says what
// is taken instead.
func TestWrongUseSaysWhatIsTaken(t *testing.T) {
	for line, want := range map[string]string{
		"token --for abc":                   `usage: --for takes a time with its unit, such as 15m or 2h, not "abc"`,
		"token --for 0s":                    "usage: --for takes a time above zero",
		"node drain node1 --deadline never": `usage: --deadline takes a time with its unit`,
		"fence test node1 --level one":      `usage: --level takes a whole number, not "one"`,
		"nodes list":                        `usage: there is no command "nodes". Did you mean 'node'?`,
		"node lisst":                        `usage: there is no command "lisst". Did you mean 'list'?`,
		"node list now":                     `usage: node list takes no operand, and "now" was given`,
		"doctor node1":                      `usage: doctor takes no operand`,
		"node standby a b":                  "usage: node standby takes one operand, a NODE; 2 were given",
		"backup /nonexistent/x/y":           "usage: backup: there is no folder /nonexistent/x",
		"fence node --off":                  "usage: fence node needs a NODE",
		"--config /nonexistent/x node list": "usage: --config /nonexistent/x: there is no such file",
	} {
		app := newApp()
		words, err := command.Ordered(app, append([]string{"clusterd"}, strings.Fields(line)...))
		if err == nil {
			var out strings.Builder
			app.Writer, app.ErrWriter = &out, &out
			err = app.RunContext(t.Context(), words)
			if out.Len() > 0 {
				t.Errorf("%s: a page of help is no answer:\n%s", line, out.String())
			}
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || exitCode(err) != 2 {
			t.Errorf("%s: %v, exit code %d; want %s", line, err, exitCode(err), want)
		}
	}
}
