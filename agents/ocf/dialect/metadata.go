package dialect

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// What is in force where neither the document nor the agent says anything.
const (
	metaDataLimit     = 10 * time.Second
	defaultInterval   = 30 * time.Second
	defaultActLimit   = 60 * time.Second
	defaultCheckLimit = 20 * time.Second
)

// Limits of what an agent says about itself, and of how much of it is kept.
const (
	mostParameters = 512
	mostActions    = 64
	mostKept       = 256
)

func sortedNames(of map[string]string) []string { return slices.Sorted(maps.Keys(of)) }

type metaXML struct {
	XMLName    xml.Name `xml:"resource-agent"`
	Parameters []struct {
		Name       string `xml:"name,attr"`
		Required   string `xml:"required,attr"`
		Reloadable string `xml:"reloadable,attr"`
		Reconfig   string `xml:"reconfig,attr"`
		Content    struct {
			Default string `xml:"default,attr"`
		} `xml:"content"`
	} `xml:"parameters>parameter"`
	Actions []struct {
		Name     string `xml:"name,attr"`
		Depth    string `xml:"depth,attr"`
		Interval string `xml:"interval,attr"`
		Timeout  string `xml:"timeout,attr"`
	} `xml:"actions>action"`
}

// ReadMetaData reads an agent's meta-data, of the OCF standard or with
// rgmanager's additions.
func ReadMetaData(kind string, text []byte) (resources.AgentInfo, error) {
	info := resources.AgentInfo{Type: kind}
	var found metaXML
	decoder := xml.NewDecoder(bytes.NewReader(text))
	// Agents that declare another encoding write ASCII nevertheless.
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	if err := decoder.Decode(&found); err != nil {
		return info, fmt.Errorf("the meta-data of %s cannot be read: %w", kind, err)
	}
	if len(found.Parameters) > mostParameters || len(found.Actions) > mostActions {
		return info, fmt.Errorf("the meta-data of %s names %d parameters and %d actions, more than any agent has", kind,
			len(found.Parameters), len(found.Actions))
	}
	for _, p := range found.Parameters {
		info.Parameters = append(info.Parameters, resources.AgentParameter{
			Name: p.Name, Required: truth(p.Required), Reloadable: truth(p.Reloadable) || truth(p.Reconfig),
			Default: p.Content.Default,
		})
	}
	for _, a := range found.Actions {
		depth, _ := strconv.Atoi(a.Depth) // "*" and nothing are the shallow one
		info.Actions = append(info.Actions, resources.AgentAction{Name: a.Name, Depth: depth, Interval: span(a.Interval),
			Timeout: span(a.Timeout)})
	}
	return info, nil
}

func truth(text string) bool { return text == "1" || text == "true" || text == "yes" }

// span reads a time as agents write it: seconds, or with a unit. What cannot be
// read is no suggestion.
func span(text string) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	for suffix, unit := range map[string]time.Duration{"sec": time.Second, "min": time.Minute, "hr": time.Hour,
		"msec": time.Millisecond} {
		number, found := strings.CutSuffix(text, suffix)
		if value, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31); found && err == nil {
			return time.Duration(value) * unit
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return 0
}

// Catalogue asks agents about themselves, once as long as they do not change.
type Catalogue struct {
	Folders Folders

	mu   sync.Mutex
	kept map[string]entry
}

type entry struct {
	changed time.Time
	info    resources.AgentInfo
}

// Agent is an agent that can be spoken to, and what it says about itself.
type Agent struct {
	Speaker
	Meta resources.AgentInfo
}

// Find finds the agent for a type.
func (c *Catalogue) Find(ctx context.Context, kind string) (Agent, error) {
	speaker, err := c.Folders.Find(kind)
	if err != nil {
		return Agent{}, err
	}
	runner, runs := speaker.(Runner)
	if !runs || runner.MetaData() == nil {
		return Agent{Speaker: speaker, Meta: speaker.Info()}, nil
	}
	file, err := os.Stat(runner.Identity())
	if err != nil {
		return Agent{}, fmt.Errorf("agent %s: %w", kind, err)
	}
	c.mu.Lock()
	known, found := c.kept[kind]
	c.mu.Unlock()
	if found && known.changed.Equal(file.ModTime()) {
		return Agent{Speaker: speaker, Meta: known.info}, nil
	}
	info, err := askMetaData(ctx, kind, *runner.MetaData())
	if err != nil {
		return Agent{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= mostKept {
		c.kept = map[string]entry{} // it is asked again, that is all
	}
	c.kept[kind] = entry{changed: file.ModTime(), info: info}
	return Agent{Speaker: speaker, Meta: info}, nil
}

func askMetaData(ctx context.Context, kind string, ask program.Program) (resources.AgentInfo, error) {
	ended := program.Run(ctx, ask)
	switch {
	case ended.Err != nil:
		return resources.AgentInfo{}, fmt.Errorf("agent %s, asked for its meta-data: it %w", kind, ended.Err)
	case ended.Code != 0:
		return resources.AgentInfo{},
			errors.New(told(ended, "agent %s, asked for its meta-data, answered with code %d", kind, ended.Code))
	}
	return ReadMetaData(kind, ended.Stdout)
}

// Program is what carries a request out, false for an agent that has no such
// action or is no program.
func (a Agent) Program(r Request) (program.Program, bool) {
	runner, runs := a.Speaker.(Runner)
	if !runs {
		return program.Program{}, false
	}
	return runner.Program(r)
}

// Judge says what the end of that program means.
func (a Agent) Judge(r Request, ended program.Ended) Verdict {
	if runner, runs := a.Speaker.(Runner); runs {
		return runner.Judge(r, ended)
	}
	return Verdict{Outcome: Unknown, Why: "no program was run"}
}

// Caller is who carries requests out where no program does.
func (a Agent) Caller() (Caller, bool) {
	caller, calls := a.Speaker.(Caller)
	return caller, calls
}

// Words tell what a request would do; false when the agent has no such action.
func (a Agent) Words(r Request) (string, bool) {
	if caller, calls := a.Caller(); calls {
		return caller.Words(r)
	}
	p, has := a.Program(r)
	return strings.Join(append([]string{p.Path}, p.Arguments...), " "), has
}

// Limit is how long an action may take: what the document says, or the agent,
// or a default.
func (a Agent) Limit(r resources.Resource, action Action, check resources.ResourceCheck) time.Duration {
	var said, usual time.Duration
	switch action {
	case Check:
		said, usual = check.Timeout, defaultCheckLimit
		if said == 0 {
			said = a.Meta.Timeout(a.CheckAction(), check.Depth)
		}
	case Stop:
		said, usual = r.StopTimeout, defaultActLimit
		if said == 0 {
			said = a.Meta.Timeout("stop", 0)
		}
	default:
		said, usual = r.StartTimeout, defaultActLimit
		if said == 0 {
			said = a.Meta.Timeout(string(action), 0)
		}
		if said == 0 {
			said = a.Meta.Timeout("start", 0)
		}
	}
	if said == 0 {
		return usual
	}
	return said
}

// CheckPlan are the checks of a resource: the document's, or the agent's own. A
// check of interval 0 is switched off.
func (a Agent) CheckPlan(r resources.Resource) []resources.ResourceCheck {
	checks := r.Checks
	if len(checks) == 0 {
		checks = a.Checks(a.Meta)
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c resources.ResourceCheck) bool { return c.Interval <= 0 })
}
