package dialect

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// unit is a systemd unit. It is asked for through systemctl, which waits for
// the job that it queues. A systemctl that is killed leaves its job behind: as
// long as a unit has a job, what it is proves nothing.
type unit struct {
	folders    Folders
	kind, name string
	systemctl  string
	// absent says why there is no systemd that could run units.
	absent string
}

func (f Folders) findUnit(kind, name string) (Speaker, error) {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	u := &unit{folders: f, kind: kind, name: name}
	if _, err := os.Stat(f.SystemdRuns); err != nil {
		return nil, fmt.Errorf("unit %s: systemd is not the manager of this system (%s is not there), so it %w", name, f.SystemdRuns, ErrNotInstalled)
	}
	path, err := exec.LookPath(f.Systemctl)
	if err != nil {
		return nil, fmt.Errorf("unit %s: %s is not there, so it %w", name, f.Systemctl, ErrNotInstalled)
	}
	u.systemctl = path
	return u, nil
}

func (u *unit) Program(r Request) (program.Program, bool) {
	arguments := map[Action][]string{
		Start: {"start", "--", u.name}, Stop: {"stop", "--", u.name},
		Check: {"show", "--property=LoadState,ActiveState,SubState,Result,Job", "--", u.name},
	}[r.Action]
	if arguments == nil {
		return program.Program{}, false
	}
	return program.Program{Path: u.systemctl, Arguments: append([]string{"--no-pager", "--no-ask-password"}, arguments...), Environment: environment(), Limit: r.Timeout}, true
}

func (u *unit) Judge(r Request, ended program.Ended) Verdict {
	if verdict, is := broken(ended); is {
		return verdict
	}
	switch {
	case ended.Code != 0 && r.Action == Check:
		return Verdict{Outcome: Unknown, Why: told(ended, "systemd does not answer (code %d)", ended.Code)}
	case ended.Code != 0:
		return Verdict{Outcome: Failed, Why: told(ended, "systemctl answered with code %d", ended.Code)}
	case r.Action != Check:
		return Verdict{Outcome: OK}
	}
	return unitVerdict(string(ended.Stdout))
}

// unitVerdict reads the properties of a unit.
func unitVerdict(text string) Verdict {
	properties := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found {
			properties[name] = value
		}
	}
	state := properties["ActiveState"]
	why := fmt.Sprintf("the unit is %s (%s)", state, properties["SubState"])
	if job := properties["Job"]; job != "" && job != "0" {
		return Verdict{Outcome: Unknown, Why: why + ", and has a job that has not ended"}
	}
	switch state {
	case "active", "reloading", "refreshing":
		return Verdict{Outcome: OK, Why: why}
	case "inactive":
		return Verdict{Outcome: NotRunning, Why: why}
	case "failed":
		// systemd has ended all its processes: it is down, and did not go by itself.
		return Verdict{Outcome: NotRunning, Why: why + ", result " + properties["Result"]}
	}
	return Verdict{Outcome: Unknown, Why: why}
}

func (u *unit) MetaData() *program.Program { return nil }
func (u *unit) Info() resources.AgentInfo  { return fixedInfo(u.kind, "check") }
func (u *unit) Identity() string           { return u.systemctl }
func (u *unit) CheckAction() string        { return "check" }

func (u *unit) Checks(resources.AgentInfo) []resources.ResourceCheck {
	return []resources.ResourceCheck{{Interval: defaultInterval}}
}

// fixedInfo is the meta-data of what has none: no parameters, and the figures
// that init systems use.
func fixedInfo(kind, check string) resources.AgentInfo {
	return resources.AgentInfo{Type: kind, Actions: []resources.AgentAction{
		{Name: "start", Timeout: defaultActLimit}, {Name: "stop", Timeout: defaultActLimit}, {Name: check, Interval: defaultInterval, Timeout: defaultCheckLimit},
	}}
}
