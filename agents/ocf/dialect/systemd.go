package dialect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/clusterd/clusterd/agents/ocf/systemd"
	"github.com/clusterd/clusterd/resources"
)

// unit is a systemd unit, which is asked for by D-Bus. When our waiting ends, the
// job that systemd has queued goes on: as long as a unit has a job, what it is
// proves nothing.
type unit struct {
	folders    Folders
	kind, name string
}

func (f Folders) findUnit(kind, name string) (Speaker, error) {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	if _, err := os.Stat(f.SystemdRuns); err != nil {
		return nil, fmt.Errorf("unit %s: systemd is not the manager of this system (%s is not there), so it %w", name,
			f.SystemdRuns, ErrNotInstalled)
	}
	return &unit{folders: f, kind: kind, name: name}, nil
}

// calls are the words of systemd for what it is asked.
var calls = map[Action]string{Start: "StartUnit", Stop: "StopUnit", Check: "GetAll (state)"}

func (u *unit) Words(r Request) (string, bool) {
	call, has := calls[r.Action]
	return "systemd: " + call + " " + u.name, has
}

func (u *unit) Do(ctx context.Context, r Request) Verdict {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	switch r.Action {
	case Start:
		return u.carryOut(ctx, limited, r, u.folders.Systemd.Start, OK)
	case Stop:
		return u.carryOut(ctx, limited, r, u.folders.Systemd.Stop, NotRunning)
	case Check:
		return u.state(ctx, limited, r)
	}
	return Verdict{Outcome: Failed, Why: "systemd's units have no action " + string(r.Action)}
}

// carryOut runs a job, and believes its end when the unit is what it should be.
func (u *unit) carryOut(ctx, limited context.Context, r Request, job func(context.Context, string) (string, error),
	want Outcome) Verdict {
	result, err := job(limited, u.name)
	if err != nil {
		return unanswered(ctx, limited, r, err)
	}
	seen := u.state(ctx, limited, r)
	switch {
	case result != "done":
		return Verdict{Outcome: Failed, Why: fmt.Sprintf("%s: %s; %s", u.name, jobWords(result), seen.Why)}
	case seen.Outcome == want:
		return Verdict{Outcome: OK, Why: seen.Why}
	case seen.Outcome == Unknown:
		return seen
	}
	return Verdict{Outcome: Failed, Why: fmt.Sprintf("%s: systemd says that it is done, and %s", u.name, seen.Why)}
}

func (u *unit) state(ctx, limited context.Context, r Request) Verdict {
	state, err := u.folders.Systemd.State(limited, u.name)
	if err != nil {
		return unanswered(ctx, limited, r, err)
	}
	return unitVerdict(state)
}

// unanswered is the verdict where systemd gave no answer that means anything.
func unanswered(ctx, limited context.Context, r Request, err error) Verdict {
	switch {
	case errors.Is(err, systemd.ErrRefused):
		return Verdict{Outcome: Failed, Why: err.Error()}
	case ctx.Err() != nil:
		return Verdict{Outcome: Unknown, Overran: true, Why: "systemd was no longer waited for, and may go on with it"}
	case limited.Err() != nil:
		return Verdict{Outcome: Unknown, Overran: true,
			Why: fmt.Sprintf("systemd did not answer in time (%s), and may go on with it", r.Timeout)}
	}
	return Verdict{Outcome: Unknown, Unasked: true, Why: err.Error()}
}

// jobWords tells how a job ended that was not done.
func jobWords(result string) string {
	words := map[string]string{
		"failed":     "its job failed",
		"timeout":    "its job ran out of the time that systemd gives it",
		"dependency": "a unit that it needs could not be started",
		"canceled":   "its job was cancelled by somebody else",
		"skipped":    "systemd had nothing to do, because a condition of the unit is not met",
		"assert":     "an assertion of the unit is not met",
		"invalid":    "the unit is not in a state in which that is possible",
	}[result]
	if words == "" {
		words = fmt.Sprintf("its job ended as %q", result)
	}
	return words
}

// unitVerdict says what a unit's state means.
func unitVerdict(s systemd.State) Verdict {
	why := fmt.Sprintf("the unit is %s (%s)", s.Active, s.Sub)
	if s.Load == "not-found" {
		why += ", and systemd knows no such unit"
	}
	if s.Job != 0 {
		return Verdict{Outcome: Unknown, Why: why + ", and has a job that has not ended"}
	}
	switch s.Active {
	case "active", "reloading", "refreshing":
		return Verdict{Outcome: OK, Why: why}
	case "inactive":
		return Verdict{Outcome: NotRunning, Why: why}
	case "failed":
		// systemd has ended all its processes: it is down, and did not go by itself.
		return Verdict{Outcome: NotRunning, Why: why + ", result " + s.Result}
	}
	return Verdict{Outcome: Unknown, Why: why}
}

func (u *unit) Info() resources.AgentInfo { return fixedInfo(u.kind, "check") }
func (u *unit) CheckAction() string       { return "check" }

func (u *unit) Checks(resources.AgentInfo) []resources.ResourceCheck {
	return []resources.ResourceCheck{{Interval: defaultInterval}}
}

// fixedInfo is the meta-data of what has none: no parameters, and the figures
// that init systems use.
func fixedInfo(kind, check string) resources.AgentInfo {
	return resources.AgentInfo{Type: kind, Actions: []resources.AgentAction{
		{Name: "start", Timeout: defaultActLimit}, {Name: "stop", Timeout: defaultActLimit},
		{Name: check, Interval: defaultInterval, Timeout: defaultCheckLimit},
	}}
}
