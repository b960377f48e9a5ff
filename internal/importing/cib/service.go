package cib

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

const (
	longestServiceName = 63
	longestBudget      = 24 * time.Hour
	longestExpiry      = 365 * 24 * time.Hour
	mostRestarts       = 100
)

// declare makes a service for something of the source, or says why not.
func (t *translation) declare(i *item, kind, wanted string) (string, *importing.Mapping) {
	name := kind + ":" + importing.Name(wanted)
	if t.draft.Services.Has(name) || len(name) > longestServiceName {
		t.SayWhole(cannot, i.element, "%s is no name for another service (at most %d letters, each name once); left out",
			name, longestServiceName)
		return "", nil
	}
	spec := importing.NewMapping()
	t.draft.Services.Set(name, spec)
	t.order = append(t.order, name)
	return name, spec
}

// policy translates the meta attributes of a service.
func (t *translation) policy(i *item, name string, spec *importing.Mapping) {
	t.role(i, name, spec)
	t.failures(i, spec)
	t.sticky(i, name)
	t.priority(i, spec)
	m := i.meta
	m.tell(unneeded, "one that is found running twice is paused at once, loudly, and a person decides", "multiple-active")
	if requires := m.get("requires"); requires != "" && requires != "fencing" {
		m.tell(changes, "it is started elsewhere only after the node that may run it is known to be off, always", "requires")
	}
	m.tell(unneeded, "it is started elsewhere only after a fence, always", "requires")
	m.tell(cannot, "a part that may fail alone is told by `subtree: non-critical` of a resource", "critical")
	m.tell(cannot, "health values of nodes are not read", "allow-unhealthy-nodes")
	m.tell(cannot, "VMs are not taken in as nodes", "remote-node", "remote-addr", "remote-port",
		"remote-connect-timeout", "remote-allow-migrate")
	m.tell(unneeded, "belongs to other kinds of resources", "interleave", "ordered", "collocated", "resource-type")
}

func (t *translation) role(i *item, name string, spec *importing.Mapping) {
	m := i.meta
	switch role := m.get("target-role"); {
	case role == "":
	case strings.EqualFold(role, "Stopped"):
		spec.Set("autostart", false)
		m.tell(changes, "autostart: false; it stays down until it is enabled (clusvcadm -e "+name+")", "target-role")
	case strings.EqualFold(role, "Started"):
		m.tell(unneeded, "services are started", "target-role")
	default:
		m.tell(cannot, noRoles+"; it is started", "target-role")
	}
	t.unmanaged(m, name, spec)
	m.tell(unneeded, asEverything, "is-managed", "maintenance")
}

// unmanagedByDefault: unlike maintenance-mode, it holds for what says nothing of it.
func (t *translation) unmanagedByDefault() bool {
	managed, ok := importing.Truth(t.properties.get("is-managed-default"))
	return t.properties.has("is-managed-default") && ok && !managed
}

const asEverything = "managed, as everything"

// unmanaged leaves a service down of which Pacemaker kept its hands off: a document does
// not freeze, and nobody could do it before the service is started. What runs is taken in
// all the same.
func (t *translation) unmanaged(m *pairs, name string, spec *importing.Mapping) {
	own := m.has("is-managed") && !strings.EqualFold(m.get("is-managed"), "default")
	managed, ok := importing.Truth(m.get("is-managed"))
	maintenance, _ := importing.Truth(m.get("maintenance"))
	all, _ := importing.Truth(t.properties.get("maintenance-mode"))
	if own && ok && !managed || !own && t.unmanagedByDefault() || maintenance || all {
		spec.Set("autostart", false)
		if !slices.Contains(t.frozen, name) {
			t.frozen = append(t.frozen, name)
		}
		m.tell(changes, "autostart: false: where it runs it is taken in and runs on, and where it is down it stays down "+
			"until clusvcadm -e "+name+". A document does not freeze (see the advice)", "is-managed", "maintenance")
	}
}

// failures: after migration-threshold failures a resource left its node.
func (t *translation) failures(i *item, spec *importing.Mapping) {
	m := i.meta
	limit := m.get("migration-threshold")
	number, err := strconv.Atoi(limit)
	switch {
	case limit == "":
	case strings.EqualFold(limit, "INFINITY") || number == 0 && err == nil || number >= infinity:
		m.tell(unneeded, "no limit", "migration-threshold")
	case err != nil || number < 0:
		m.tell(cannot, "this is no number; no limit is set", "migration-threshold")
	case number == 1:
		spec.Set("recovery", "relocate")
		m.tell(changes, "recovery: relocate: the first failure moves it. Pacemaker barred the node until cleanup; "+
			"clusterd does not", "migration-threshold")
	default:
		spec.Set("max_restarts", min(number-1, mostRestarts))
		m.tell(changes, "max_restarts: "+strconv.Itoa(min(number-1, mostRestarts))+"; the next failure moves it. "+
			"Failures are counted for the service, not for each node. Pacemaker barred the node until cleanup; clusterd does "+
			"not", "migration-threshold")
	}
	if expire := m.get("failure-timeout"); expire != "" {
		span, err := importing.ReadSpan(expire)
		if err != nil || span == 0 {
			m.tell(unneeded, "failures are never forgotten", "failure-timeout")
			return
		}
		spec.Set("restart_expire_time", min(span, longestExpiry))
		m.tell(changes, "restart_expire_time: "+importing.Span(min(span, longestExpiry))+": each failure is forgotten "+
			"by itself after that time, where all were when the last was that old", "failure-timeout")
	}
}

func (t *translation) sticky(i *item, name string) {
	m := i.meta
	given := cmp.Or(m.get("resource-stickiness"), t.properties.get("default-resource-stickiness"))
	if given == "" {
		return
	}
	value, ok := score(given)
	if !ok {
		m.tell(cannot, "this is no score", "resource-stickiness")
		return
	}
	t.stickies[name] = sum(t.stickies[name], value)
	m.tell(changes, "nofailback where it is as strong as the scores of the nodes; else nothing", "resource-stickiness")
}

// priority: the higher number was the more important; here the lower one starts
// first.
func (t *translation) priority(i *item, spec *importing.Mapping) {
	m := i.meta
	if !m.has("priority") {
		return
	}
	value, ok := score(m.get("priority"))
	if !ok {
		m.tell(cannot, "this is no score", "priority")
		return
	}
	rank := t.ranks(value)
	if rank > 0 {
		spec.Set("priority", rank)
	}
	m.tell(changes, "priority: "+strconv.Itoa(rank)+" (0 is the first): it orders starts. Nothing is stopped for the "+
		"sake of something more important", "priority")
}

// ranks is the place of a priority among all that are written.
func (t *translation) ranks(value int) int {
	values := []int{0}
	for _, pair := range t.top.Find("nvpair") {
		if v, ok := score(pair.Get("value")); ok && pair.Get("name") == "priority" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, func(a, b int) int { return b - a })
	return slices.Index(values, value)
}
