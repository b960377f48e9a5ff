package importing

import (
	"regexp"
	"strings"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// parameterPattern and longestValue are what a document takes.
var parameterPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

const longestValue = 4096

// GoodParameter reports whether a document takes a parameter as it is.
func GoodParameter(name, value string) bool {
	return parameterPattern.MatchString(name) && len(value) <= longestValue && !strings.ContainsRune(value, 0)
}

// Label takes a name for a resource of a type that no other of the type has.
func (d *Draft) Label(kind, wanted string) string {
	for taken := NewMapping(); ; {
		name := Free(wanted, taken, d.Resources)
		if label := kind + " " + name; !d.labels[label] {
			d.labels[label] = true
			return name
		}
		taken.Set(name, true)
	}
}

// SetTree writes the resources of a service, and declares those that are shared
// where that was not done yet.
func (d *Draft) SetTree(service string, tree []resources.Resource) {
	d.Services.Mapping(service).Set("resources", d.tree(tree))
}

func (d *Draft) tree(tree []resources.Resource) []*Mapping {
	var list []*Mapping
	for _, r := range tree {
		list = append(list, d.resource(r))
	}
	return list
}

func (d *Draft) resource(r resources.Resource) *Mapping {
	m := NewMapping()
	if r.Shared {
		if !d.Resources.Has(r.Name) {
			shared := NewMapping()
			declare(shared, r)
			d.Resources.Set(r.Name, shared)
		}
		m.Set("ref", r.Name)
	} else {
		m.Set("type", r.Type)
		m.Set("name", r.Name)
		declare(m, r)
	}
	if r.Subtree != resources.Critical {
		m.Set("subtree", string(r.Subtree))
	}
	threshold(m, "max_restarts", r.MaxRestarts, "restart_expire_time", r.RestartExpire)
	threshold(m, "max_failures", r.MaxFailures, "failure_expire_time", r.FailureExpire)
	if len(r.Children) > 0 {
		m.Set("resources", d.tree(r.Children))
	}
	return m
}

// declare writes what belongs to a resource wherever it is used.
func declare(m *Mapping, r resources.Resource) {
	if r.Shared {
		m.Set("type", r.Type)
	}
	if len(r.Parameters) > 0 {
		m.Set("parameters", r.Parameters)
	}
	if r.StartTimeout > 0 {
		m.Set("start_timeout", r.StartTimeout)
	}
	if r.StopTimeout > 0 {
		m.Set("stop_timeout", r.StopTimeout)
	}
	var checks []*Mapping
	for _, check := range r.Checks {
		line := Line()
		line.Set("depth", check.Depth)
		line.Set("interval", check.Interval)
		if check.Timeout > 0 {
			line.Set("timeout", check.Timeout)
		}
		checks = append(checks, line)
	}
	if len(checks) > 0 {
		m.Set("status", checks)
	}
}

func threshold(m *Mapping, number string, count int, expire string, within time.Duration) {
	if count > 0 {
		m.Set(number, count)
		m.Set(expire, within)
	}
}
