package dialect

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// The exit codes of the OCF standard, version 1.1, section "Return codes", and
// the two that Pacemaker added for a resource that works and has a problem.
const (
	ocfSuccess          = 0
	ocfNotInstalled     = 5
	ocfNotRunning       = 7
	ocfRunningPromoted  = 8
	ocfFailedPromoted   = 9
	ocfDegraded         = 190
	ocfDegradedPromoted = 191
)

// ocfMeanings say what the codes are called.
var ocfMeanings = map[int]string{
	1: "an error", 2: "invalid arguments", 3: "no such action", 4: "insufficient privileges",
	5: "something it needs is not installed", 6: "its parameters are wrong",
	7: "not running", 8: "running promoted", 9: "failed as promoted", 190: "running, and degraded",
	191: "running promoted, and degraded",
}

// ocf speaks to an agent of the OCF standard.
type ocf struct {
	folders              Folders
	kind, provider, name string
	path                 string
}

func (f Folders) findOCF(kind, provider, name string) (Speaker, error) {
	path, err := executable(kind, filepath.Join(f.OCF, "resource.d", provider, name))
	if err != nil {
		return nil, err
	}
	return &ocf{folders: f, kind: kind, provider: provider, name: name, path: path}, nil
}

var ocfActions = map[Action]string{Start: "start", Stop: "stop", Check: "monitor", Reload: "reload-agent",
	Validate: "validate-all"}

func (o *ocf) Program(r Request) (program.Program, bool) {
	action, known := ocfActions[r.Action]
	if !known {
		return program.Program{}, false
	}
	env := o.environment(action)
	env = append(env,
		// Agents of one type keep files by this name, whatever the resource of another
		// type is called.
		"OCF_RESOURCE_INSTANCE="+o.name+"-"+r.Resource.Name,
		"OCF_CHECK_LEVEL="+strconv.Itoa(r.Depth),
		"OCF_RESKEY_CRM_meta_timeout="+milliseconds(r.Timeout),
		"OCF_RESKEY_CRM_meta_interval="+milliseconds(r.Interval),
		"OCF_RESKEY_CRM_meta_name="+action,
		"OCF_RESKEY_CRM_meta_on_node="+r.Node,
	)
	return program.Program{Path: o.path, Arguments: []string{action},
		Environment: append(env, parameters(r.Resource)...), Limit: r.Timeout}, true
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// parameters are a resource's, in one order.
func parameters(r resources.Resource) []string {
	list := make([]string, 0, len(r.Parameters))
	for _, name := range sortedNames(r.Parameters) {
		list = append(list, "OCF_RESKEY_"+name+"="+r.Parameters[name])
	}
	return list
}

func (o *ocf) environment(action string) []string {
	return environment(
		"OCF_ROOT="+o.folders.OCF, "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_RESOURCE_TYPE="+o.name, "OCF_RESOURCE_PROVIDER="+o.provider, "HA_RSCTMP="+o.folders.Scratch,
		"__OCF_ACTION="+action,
	)
}

func (o *ocf) Judge(r Request, ended program.Ended) Verdict {
	if verdict, is := broken(ended); is {
		return verdict
	}
	code := ended.Code
	meaning, known := ocfMeanings[code]
	if code != ocfSuccess && !known {
		return Verdict{Outcome: Failed, Why: told(ended, "the agent answered with the unknown code %d", code)}
	}
	switch {
	case code == ocfSuccess:
		return Verdict{Outcome: OK}
	case r.Action != Check:
		return Verdict{Outcome: Failed, Lacks: code == ocfNotInstalled,
			Why: told(ended, "the agent says %s (%d)", meaning, code)}
	case code == ocfDegraded || code == ocfDegradedPromoted:
		return Verdict{Outcome: OK, Degraded: true, Why: told(ended, "the agent says %s (%d)", meaning, code)}
	case code == ocfRunningPromoted:
		return Verdict{Outcome: OK}
	case code == ocfNotRunning, code == ocfNotInstalled && r.Probe:
		return Verdict{Outcome: NotRunning, Why: fmt.Sprintf("the agent says %s (%d)", meaning, code)}
	}
	return Verdict{Outcome: Failed, Why: told(ended, "the agent says %s (%d)", meaning, code)}
}

func (o *ocf) MetaData() *program.Program {
	return &program.Program{Path: o.path, Arguments: []string{"meta-data"}, Environment: o.environment("meta-data"),
		Limit: metaDataLimit}
}

func (o *ocf) Info() resources.AgentInfo { return resources.AgentInfo{Type: o.kind} }

// Checks takes the shallow check alone: the deep ones need parameters of their
// own, and who wants them says so in the document.
func (o *ocf) Checks(info resources.AgentInfo) []resources.ResourceCheck {
	check := resources.ResourceCheck{Interval: defaultInterval}
	for _, action := range info.Actions {
		if action.Name == "monitor" && action.Depth == 0 && action.Interval > 0 {
			check.Interval, check.Timeout = action.Interval, action.Timeout
			break
		}
	}
	return []resources.ResourceCheck{check}
}

func (o *ocf) Identity() string    { return o.path }
func (o *ocf) CheckAction() string { return "monitor" }
