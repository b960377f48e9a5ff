package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
)

func TestTheVersionAFileWasMadeFor(t *testing.T) {
	for text, want := range map[string]struct {
		version uint64
		rest    string
	}{
		"cluster: a\n":                            {0, "cluster: a\n"},
		"# version 7\ncluster: a\n":               {7, "cluster: a\n"},
		"# version 8\n# version 7\ncluster: a\n":  {8, "cluster: a\n"},
		"# version of mine\ncluster: a\n":         {0, "# version of mine\ncluster: a\n"},
		"cluster: a\n# version 7\n":               {0, "cluster: a\n# version 7\n"},
		"# version 7\r\ncluster: a\r\n":           {7, "cluster: a\r\n"},
		"\ufeff# version 7\ncluster: a\n":         {7, "cluster: a\n"},
		"\n# mine\n#VERSION 7\ncluster: a\n":      {7, "\n# mine\ncluster: a\n"},
		"# version 99999999999999999999999\na: b": {1<<64 - 1, "a: b"},
	} {
		if version, rest := shownVersion(text); version != want.version || rest != want.rest {
			t.Errorf("%q: version %d, rest %q", text, version, rest)
		}
	}
}

func TestPlanning(t *testing.T) {
	change := []api.ConfigEffect{{Effect: "in place, at once", Text: "timing: the profile changes"}}
	for _, c := range []struct {
		name     string
		plan     api.ConfigReply
		terminal bool
		dryRun   bool
		yes      bool
		answer   string
		asked    bool
		made     bool
		failure  error
	}{
		{name: "a script", plan: api.ConfigReply{Plan: change}, made: true},
		{name: "a person who agrees", plan: api.ConfigReply{Plan: change}, terminal: true, answer: "y\n", asked: true,
			made: true},
		{name: "a person who does not", plan: api.ConfigReply{Plan: change}, terminal: true, answer: "\n", asked: true,
			failure: command.ErrRefused},
		{name: "a person who went away", plan: api.ConfigReply{Plan: change}, terminal: true, asked: true,
			failure: command.ErrRefused},
		{name: "a person in a hurry", plan: api.ConfigReply{Plan: change}, terminal: true, yes: true, made: true},
		{name: "only a look", plan: api.ConfigReply{Plan: change}, terminal: true, dryRun: true},
		{name: "nothing to ask about", plan: api.ConfigReply{}, terminal: true, made: true},
		{name: "what the cluster refuses", plan: api.ConfigReply{Plan: change, Refused: "vm:web is started"}, yes: true,
			failure: command.ErrRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			var bases []uint64
			made := false
			c.plan.Version = 7
			p := planner{in: strings.NewReader(c.answer), out: &out, terminal: c.terminal, width: 80,
				change: func(base uint64, dryRun bool) (api.ConfigReply, error) {
					bases = append(bases, base)
					if dryRun {
						return c.plan, nil
					}
					made = true
					return api.ConfigReply{Version: 8}, nil
				}}
			err := p.run(7, c.dryRun, c.yes)
			if !errors.Is(err, c.failure) || made != c.made || strings.Contains(out.String(), "[y/N]") != c.asked {
				t.Errorf("ended with %v, made %v, and said:\n%s", err, made, out.String())
			}
			if slices.Max(bases) != 7 || slices.Min(bases) != 7 {
				t.Errorf("planned and made for the versions %v", bases)
			}
			if c.made && !strings.HasSuffix(out.String(), "Document version 8 is in force.\n") {
				t.Errorf("said:\n%s", out.String())
			}
		})
	}
}

func TestAConflictFromTheFilesFirstLineSaysHowToGoOn(t *testing.T) {
	conflict := api.Failure{Code: "conflict", Message: "the document is at version 8"}
	if got := command.Describe(replaceAnyway(conflict, true)); !strings.Contains(got, "--base") {
		t.Errorf("said %q", got)
	}
	if got := command.Describe(replaceAnyway(conflict, false)); strings.Contains(got, "--base") {
		t.Errorf("said %q", got)
	}
}
