package dialect

import (
	"path/filepath"
	"strconv"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// rgmanager speaks to the agents of Red Hat Cluster Suite.
type rgmanager struct {
	folders          Folders
	kind, name, path string
}

func (f Folders) findRGManager(kind, name string) (Speaker, error) {
	path, err := executable(kind, filepath.Join(f.RGManager, name+".sh"), filepath.Join(f.RGManager, name))
	if err != nil {
		return nil, err
	}
	return &rgmanager{folders: f, kind: kind, name: name, path: path}, nil
}

// Its agents are never asked to monitor or to validate.
var rgmanagerActions = map[Action]string{Start: "start", Stop: "stop", Check: "status", Recover: "recover",
	Reload: "reconfig"}

func (g *rgmanager) Program(r Request) (program.Program, bool) {
	action, known := rgmanagerActions[r.Action]
	if !known {
		return program.Program{}, false
	}
	env := append(g.environment(),
		"OCF_RESOURCE_INSTANCE="+g.name+":"+r.Resource.Name,
		"OCF_CHECK_LEVEL="+strconv.Itoa(r.Depth),
		"OCF_RESKEY_RGMANAGER_meta_refcnt="+strconv.Itoa(r.Users),
		"OCF_RESKEY_RGMANAGER_meta_timeout="+strconv.Itoa(int(r.Timeout.Seconds())),
	)
	if _, given := r.Resource.Parameters["name"]; !given {
		env = append(env, "OCF_RESKEY_name="+r.Resource.Name)
	}
	return program.Program{Path: g.path, Arguments: []string{action},
		Environment: append(env, parameters(r.Resource)...), Limit: r.Timeout}, true
}

func (g *rgmanager) environment() []string {
	return environment("OCF_ROOT="+g.folders.RGManager, "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0",
		"OCF_RESOURCE_TYPE="+g.name)
}

// Judge: 0 is success and everything else a failure, but for the stop of what
// is not installed. A check fails with any code for what is not there, so where it
// was never started on this boot a failing check is an answer.
func (g *rgmanager) Judge(r Request, ended program.Ended) Verdict {
	if verdict, is := broken(ended); is {
		return verdict
	}
	switch {
	case ended.Code == 0:
		return Verdict{Outcome: OK}
	case r.Action == Stop && ended.Code == ocfNotInstalled:
		return Verdict{Outcome: OK, Why: "not installed, so there is nothing to stop"}
	case r.Action == Check && (ended.Code == ocfNotRunning || r.Probe):
		return Verdict{Outcome: NotRunning, Why: told(ended, "the agent's status is %d", ended.Code)}
	}
	return Verdict{Outcome: Failed, Why: told(ended, "the agent answered with code %d", ended.Code)}
}

func (g *rgmanager) MetaData() *program.Program {
	return &program.Program{Path: g.path, Arguments: []string{"meta-data"}, Environment: g.environment(),
		Limit: metaDataLimit}
}

func (g *rgmanager) Info() resources.AgentInfo { return resources.AgentInfo{Type: g.kind} }

// Checks are all that the agent declares, as rgmanager made them.
func (g *rgmanager) Checks(info resources.AgentInfo) []resources.ResourceCheck {
	var checks []resources.ResourceCheck
	seen := map[int]bool{}
	for _, action := range info.Actions {
		if action.Name == "status" && action.Interval > 0 && !seen[action.Depth] {
			seen[action.Depth] = true
			checks = append(checks, resources.ResourceCheck{Depth: action.Depth, Interval: action.Interval,
				Timeout: action.Timeout})
		}
	}
	if len(checks) == 0 {
		checks = []resources.ResourceCheck{{Interval: defaultInterval}}
	}
	return checks
}

func (g *rgmanager) Identity() string    { return g.path }
func (g *rgmanager) CheckAction() string { return "status" }
