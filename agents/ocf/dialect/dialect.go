package dialect

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/agents/ocf/systemd"
	"github.com/clusterd/clusterd/internal/owned"
	"github.com/clusterd/clusterd/resources"
)

// Action is what is wished of an agent.
type Action string

// The actions. Dialects have their own words for them.
const (
	Start Action = "start"
	Stop  Action = "stop"
	Check Action = "check"
	// Recover tries to mend a resource without stopping it; few agents can.
	Recover Action = "recover"
	// Reload takes changed parameters in place.
	Reload   Action = "reload"
	Validate Action = "validate"
)

// Outcome is what the end of an action shows.
type Outcome int

// The outcomes.
const (
	// Unknown proves nothing: the agent was killed, or did not answer properly.
	Unknown Outcome = iota
	// OK: the action succeeded; after Check: it runs.
	OK
	// NotRunning: the agent says that the resource is not running here, cleanly.
	NotRunning
	// Failed: the agent says so.
	Failed
)

// Verdict is an Outcome with its sentence.
type Verdict struct {
	Outcome Outcome
	Why     string
	// Lacks tells that the agent misses what it needs, and so did nothing.
	Lacks bool
	// Unasked tells that the agent could not even be run, for want of memory say.
	// Overran tells that it was killed because its time was over.
	Unasked, Overran bool
	// Degraded tells that the resource runs and its agent warns.
	Degraded bool
}

// Request is one action on one resource.
type Request struct {
	Resource resources.Resource
	Action   Action
	Depth    int
	Interval time.Duration
	Timeout  time.Duration
	// Node is this node's name, and Users how many other services use a shared
	// resource on this node.
	Node  string
	Users int
	// Probe tells a Check that the resource may well not be here.
	Probe bool
}

// Speaker speaks one dialect to one agent. It is a Runner or a Caller as well.
type Speaker interface {
	// Info is what is known without asking.
	Info() resources.AgentInfo
	// Checks are the checks that are made when the document names none.
	Checks(resources.AgentInfo) []resources.ResourceCheck
	// CheckAction is the dialect's own word for a check.
	CheckAction() string
}

// Runner is a Speaker whose agent is a program.
type Runner interface {
	// Program is what carries the request out; false when the agent has no such
	// action.
	Program(Request) (program.Program, bool)
	// Judge says what its end means.
	Judge(Request, program.Ended) Verdict
	// MetaData asks the agent about itself; nil for those that have a fixed answer.
	MetaData() *program.Program
	// Identity is the file whose change makes old meta-data worthless.
	Identity() string
}

// Caller is a Speaker that needs no program, because it asks one that is always
// there.
type Caller interface {
	// Do carries a request out within its time.
	Do(context.Context, Request) Verdict
	// Words tell a person what would be asked; false when there is no such action.
	Words(Request) (string, bool)
}

// Folders are where agents are found; empty ones take the usual places.
type Folders struct {
	// OCF is OCF_ROOT: /usr/lib/ocf.
	OCF string
	// RGManager is where Red Hat Cluster Suite's agents are: /usr/share/cluster.
	RGManager string
	// Init has the LSB scripts: /etc/init.d.
	Init string
	// SystemdRuns is the folder that shows that systemd is this system's manager;
	// Systemd is who is asked then. All copies of Folders share it.
	SystemdRuns string
	Systemd     *systemd.Manager
	// Scratch is where OCF agents keep small files until the next boot:
	// /run/resource-agents.
	Scratch string
}

// WithDefaults fills in the usual places.
func (f Folders) WithDefaults() Folders {
	fill := func(value *string, usual string) {
		if *value == "" {
			*value = usual
		}
	}
	fill(&f.OCF, "/usr/lib/ocf")
	fill(&f.RGManager, "/usr/share/cluster")
	fill(&f.Init, "/etc/init.d")
	fill(&f.SystemdRuns, "/run/systemd/system")
	fill(&f.Scratch, "/run/resource-agents")
	if f.Systemd == nil {
		f.Systemd = systemd.New(filepath.Dir(f.SystemdRuns))
	}
	return f
}

// ErrNotInstalled says that there is no such agent on this node. What was never there
// cannot have been started by it.
var ErrNotInstalled = errors.New("is not installed on this node")

// Find returns the speaker for a type.
func (f Folders) Find(kind string) (Speaker, error) {
	if !resources.GoodType(kind) {
		return nil, fmt.Errorf("%q names no agent", kind)
	}
	name, provider, agent := resources.AgentName(kind)
	switch name {
	case "ocf":
		return f.findOCF(kind, provider, agent)
	case "rgmanager":
		return f.findRGManager(kind, agent)
	case "systemd":
		return f.findUnit(kind, agent)
	}
	return f.findScript(kind, agent)
}

// executable finds the first of these files that can be run. One that somebody else may change is
// there and is not run: what it did before is unknown, so this is not ErrNotInstalled.
func executable(kind string, paths ...string) (string, error) {
	for _, path := range paths {
		switch err := owned.Program(path); {
		case err == nil:
			return path, nil
		case errors.Is(err, owned.ErrNotOurs):
			return "", fmt.Errorf("agent %s is not run, because it would run as root: %w", kind, err)
		}
	}
	return "", fmt.Errorf("agent %s (%s) %w", kind, strings.Join(paths, " or "), ErrNotInstalled)
}

// environment is what every program gets: nothing of the daemon's own.
func environment(more ...string) []string {
	return append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "LC_ALL=C",
		"HOME=/root"}, more...)
}

// exitReason begins the line in which OCF agents say what matters.
const exitReason = "ocf-exit-reason:"

// saying is the last thing an agent printed that a person could read, for a
// sentence: bounded, one line, without control characters.
func saying(ended program.Ended) string {
	text := strings.TrimSpace(string(ended.Stderr))
	if text == "" {
		text = strings.TrimSpace(string(ended.Stdout))
	}
	if reason := strings.LastIndex(text, exitReason); reason >= 0 {
		text, _, _ = strings.Cut(text[reason+len(exitReason):], "\n")
	} else if cut := strings.LastIndexByte(text, '\n'); cut >= 0 {
		text = text[cut+1:]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	const most = 200
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most]) + "..."
	}
	return text
}

// told is a sentence about an end, with the agent's own words.
func told(ended program.Ended, format string, arguments ...any) string {
	text := fmt.Sprintf(format, arguments...)
	if words := saying(ended); words != "" {
		text += ": " + words
	}
	return text
}

// broken is the verdict on an end without an exit code that means anything.
func broken(ended program.Ended) (Verdict, bool) {
	switch {
	case ended.Err == nil:
		return Verdict{}, false
	case ended.Overran, ended.Left:
		return Verdict{Outcome: Unknown, Overran: true, Why: "the agent " + ended.Err.Error()}, true
	case ended.Group.PID == 0:
		return Verdict{Outcome: Unknown, Unasked: true, Why: "the agent " + ended.Err.Error()}, true
	}
	return Verdict{Outcome: Failed, Why: "the agent " + ended.Err.Error()}, true
}
