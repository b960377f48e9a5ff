package resources

import (
	"strconv"
	"strings"
	"time"
)

// AgentInfo is what an agent says about itself, its meta-data.
type AgentInfo struct {
	Type       string           `json:"type"`
	Parameters []AgentParameter `json:"parameters,omitempty"`
	Actions    []AgentAction    `json:"actions,omitempty"`
}

// AgentParameter is one thing that an agent can be told.
type AgentParameter struct {
	Name     string `json:"name"`
	Required bool   `json:"required,omitempty"`
	// Reloadable tells that the agent can change it while the resource runs.
	Reloadable bool   `json:"reloadable,omitempty"`
	Default    string `json:"default,omitempty"`
}

// AgentAction is one thing that an agent can do, with the figures it suggests.
type AgentAction struct {
	Name     string        `json:"name"`
	Depth    int           `json:"depth,omitempty"`
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
}

// Has reports whether the agent has an action.
func (a AgentInfo) Has(action string) bool {
	for _, known := range a.Actions {
		if known.Name == action {
			return true
		}
	}
	return false
}

// Parameter finds a parameter by its name.
func (a AgentInfo) Parameter(name string) (AgentParameter, bool) {
	for _, known := range a.Parameters {
		if known.Name == name {
			return known, true
		}
	}
	return AgentParameter{}, false
}

// Timeout is the time that the agent suggests for an action at a depth; 0 if
// it suggests none.
func (a AgentInfo) Timeout(action string, depth int) time.Duration {
	var found time.Duration
	for _, known := range a.Actions {
		if known.Name == action && known.Timeout > 0 && (found == 0 || known.Depth == depth) {
			found = known.Timeout
		}
	}
	return found
}

// ParameterFault is what is wrong with one parameter, by the agent's own word.
// Parameter is empty for one that is missing.
type ParameterFault struct {
	Parameter string
	Message   string
	// Known are the agent's parameters, for whoever suggests another.
	Known []string
}

// ParameterFaults holds a resource's parameters against what its agent says.
func ParameterFaults(info AgentInfo, r Resource) []ParameterFault {
	var faults []ParameterFault
	known := make([]string, 0, len(info.Parameters))
	for _, p := range info.Parameters {
		known = append(known, p.Name)
		value, given := r.Parameters[p.Name]
		switch {
		case p.Required && !given:
			faults = append(faults, ParameterFault{Message: "needs the parameter " + p.Name})
		case given && p.Required && value == "":
			faults = append(faults, ParameterFault{Parameter: p.Name, Message: "needs a value for the parameter " + p.Name})
		}
	}
	for _, name := range sortedKeys(r.Parameters) {
		// What begins with these is for the agents' library, and in no meta-data.
		if strings.HasPrefix(name, "CRM_meta_") || strings.HasPrefix(name, "trace_") {
			continue
		}
		if _, there := info.Parameter(name); !there {
			faults = append(faults, ParameterFault{Parameter: name, Known: known,
				Message: "has no parameter " + strconv.Quote(name)})
		}
	}
	return faults
}
