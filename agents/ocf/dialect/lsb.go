package dialect

import (
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// script is an init script by the Linux Standard Base, "Init Script Actions".
type script struct{ kind, path string }

func (f Folders) findScript(kind, name string) (Speaker, error) {
	path := name
	if !strings.HasPrefix(name, "/") {
		path = filepath.Join(f.Init, name)
	}
	path, err := executable(kind, path)
	if err != nil {
		return nil, err
	}
	return &script{kind: kind, path: path}, nil
}

// The codes of `status`: 0 runs, 1 and 2 died and left a file behind, 3 does
// not run, 4 is not known.
const lsbNotRunning = 3

func (s *script) Program(r Request) (program.Program, bool) {
	action := map[Action]string{Start: "start", Stop: "stop", Check: "status"}[r.Action]
	if action == "" {
		return program.Program{}, false
	}
	return program.Program{Path: s.path, Arguments: []string{action}, Environment: environment(), Limit: r.Timeout}, true
}

func (s *script) Judge(r Request, ended program.Ended) Verdict {
	if verdict, is := broken(ended); is {
		return verdict
	}
	switch {
	case ended.Code == 0:
		return Verdict{Outcome: OK}
	case r.Action == Check && ended.Code == lsbNotRunning:
		return Verdict{Outcome: NotRunning, Why: "the script says that it does not run (3)"}
	case r.Action == Check && (ended.Code == 1 || ended.Code == 2):
		if r.Probe {
			return Verdict{Outcome: NotRunning, Why: told(ended, "the script says that it is dead and left a file behind (%d)",
				ended.Code)}
		}
		return Verdict{Outcome: Failed, Why: told(ended, "the script says that it is dead and left a file behind (%d)",
			ended.Code)}
	case r.Action == Check && ended.Code == 4:
		return Verdict{Outcome: Unknown, Why: told(ended, "the script does not know (4)")}
	}
	return Verdict{Outcome: Failed, Why: told(ended, "the script answered with code %d", ended.Code)}
}

func (s *script) MetaData() *program.Program { return nil }
func (s *script) Info() resources.AgentInfo  { return fixedInfo(s.kind, "status") }
func (s *script) Identity() string           { return s.path }
func (s *script) CheckAction() string        { return "status" }

func (s *script) Checks(resources.AgentInfo) []resources.ResourceCheck {
	return []resources.ResourceCheck{{Interval: defaultInterval}}
}
