package rgconf

import (
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// subtree translates what a failure of the resource means.
func (m *making) subtree() {
	switch value := m.part.get("__independent_subtree"); value {
	case "":
	case "0", "no":
		m.tellOne("__independent_subtree", unneeded, "critical, as without it")
	case "1", "yes":
		m.made.Subtree = resources.Independent
		m.tellOne("__independent_subtree", translated, "subtree: independent; a failure restarts this part in place")
	case "2", "non-critical":
		m.made.Subtree = resources.NonCritical
		m.tellOne("__independent_subtree", translated,
			"subtree: non-critical; a part that fails stays down, and the service goes on")
	default:
		m.tellOne("__independent_subtree", cannot, "no such kind of subtree; a failure is one of the service")
	}
	if m.made.Subtree == resources.Critical {
		m.tellAnywhere(unneeded, []string{"__max_restarts", "__restart_expire_time"},
			"counted for independent and non-critical subtrees only, and this is neither")
	} else {
		m.threshold("__max_restarts", "__restart_expire_time", &m.made.MaxRestarts, &m.made.RestartExpire)
	}
	m.threshold("__max_failures", "__failure_expire_time", &m.made.MaxFailures, &m.made.FailureExpire)
}

// threshold reads a number and the time within which it counts; both are
// needed, as they were.
func (m *making) threshold(number, expire string, into *int, within *time.Duration) {
	both := []string{number, expire}
	if m.part.get(number) == "" && m.part.get(expire) == "" {
		return
	}
	count, err := strconv.Atoi(m.part.get(number))
	span, spanErr := importing.ReadSpan(m.part.get(expire))
	if err != nil || spanErr != nil || count <= 0 || span <= 0 {
		m.tellAnywhere(unneeded, both, "without a number and a time, both above 0, it had no effect")
		return
	}
	*into, *within = min(count, mostRestarts), min(span, longestExpiry)
	m.tellAnywhere(translated, both, "%d within %s", *into, importing.Span(*within))
}

// actions translates <action> below the resource, its shared definition and its
// type's defaults, of which the nearest counts.
func (m *making) actions() {
	for _, e := range []*importing.Element{m.part.defaults, m.part.shared, m.part.own} {
		if e == nil {
			continue
		}
		for _, action := range e.All("action") {
			m.action(action)
		}
	}
}

func (m *making) action(action *importing.Element) {
	timeout, timeoutErr := importing.ReadSpan(action.Get("timeout"))
	interval, intervalErr := importing.ReadSpan(action.Get("interval"))
	limit := min(timeout, longestBudget)
	switch name := action.Get("name"); {
	case name == "start" && timeoutErr == nil:
		m.made.StartTimeout = limit
		m.sayAction(action, translated, "start_timeout: "+importing.Span(limit)+", always enforced")
	case name == "stop" && timeoutErr == nil:
		m.made.StopTimeout = limit
		m.sayAction(action, translated, "stop_timeout: "+importing.Span(limit)+", always enforced")
	case (name == "status" || name == "monitor") && intervalErr == nil:
		m.check(action, resources.ResourceCheck{Interval: min(interval, longestBudget), Timeout: limit})
	default:
		m.sayAction(action, cannot, "there is no such setting")
	}
}

// sayAction speaks of an action once: shared ones and defaults are met again.
func (m *making) sayAction(action *importing.Element, kind importing.Kind, message string) {
	m.Tell(kind, action, action.Names(), "%s", message)
}

func (m *making) check(action *importing.Element, check resources.ResourceCheck) {
	depth := action.Get("depth")
	if depth == "" {
		depth = "0"
	}
	number, err := strconv.Atoi(depth)
	switch {
	case depth == "*" && len(m.agent.depths) > 0:
		for _, each := range m.agent.depths {
			check.Depth = each
			m.setCheck(check)
		}
	case depth == "*":
		m.setCheck(check)
	case err != nil || number < 0 || number > 100:
		m.sayAction(action, cannot, "this is no depth of a check")
		return
	default:
		check.Depth = number
		m.setCheck(check)
	}
	m.sayAction(action, translated, "a check of depth "+depth+" each "+importing.Span(check.Interval))
}

func (m *making) setCheck(check resources.ResourceCheck) {
	for i, other := range m.made.Checks {
		if other.Depth == check.Depth {
			m.made.Checks[i] = check
			return
		}
	}
	m.made.Checks = append(m.made.Checks, check)
}
