package cib

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// mostPriority is the last rank a document takes.
const mostPriority = 100

// domains makes a failover domain of what is known of each service's place.
// Services with the same rules share one.
func (t *translation) domains() {
	made := map[string]string{}
	for _, service := range t.order {
		l := t.locations[service]
		if l == nil {
			l = &location{}
		}
		domain, words, legal := t.domain(l, t.stickies[service])
		spec := t.draft.Services.Mapping(service)
		switch {
		case !legal:
			spec.Set("autostart", false)
			t.sayOf(service, cannot, "no node may run it, as the constraints are; declared with autostart: false and "+
				"without a domain")
			continue
		case domain == nil:
			continue
		}
		_, short, _ := strings.Cut(service, ":")
		name := made[words]
		if name == "" {
			name = importing.Free(short, t.draft.Domains)
			made[words] = name
			t.draft.Domains.Set(name, domain)
		}
		spec.Set("domain", name)
		t.sayOf(service, changes,
			"domain %s: %s. Scores only rank nodes here; what they weighed against each other is gone", name, words)
	}
}

// sayOf speaks of a service where its resource stands.
func (t *translation) sayOf(service string, kind importing.Kind, format string, arguments ...any) {
	for _, id := range sortedKeys(t.services) {
		if e := t.byID[id]; e != nil && slices.Contains(t.services[id], service) {
			t.Say(kind, e, nil, format, arguments...)
			return
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// domain ranks the nodes by their scores. It returns nil when any node may run
// the service and none is preferred.
func (t *translation) domain(l *location, stickiness int) (domain *importing.Mapping, words string, legal bool) {
	allowed := t.allowed(l)
	if len(allowed) == 0 {
		return nil, "", len(t.nodes) == 0
	}
	best := slices.MaxFunc(allowed, func(a, b string) int { return l.scores[a] - l.scores[b] })
	worst := slices.MinFunc(allowed, func(a, b string) int { return l.scores[a] - l.scores[b] })
	ordered := l.scores[best] != l.scores[worst]
	restricted := len(allowed) < len(t.nodes)
	if !ordered && !restricted {
		return nil, "", true
	}
	// Where it runs the stickiness is added to the score, and of equal nodes that one is kept.
	stays := ordered && stickiness > 0 && stickiness >= l.scores[best]-l.scores[worst]
	members, shown := importing.Line(), []string{}
	ranks := l.ranks(allowed)
	for _, node := range allowed {
		var priority any
		text := node
		switch rank := ranks[node]; {
		case ordered && l.scores[node] > 0:
			priority, text = rank, fmt.Sprintf("%s %d", node, rank)
		case !restricted && !stays:
			// Outside of an unrestricted domain is the same as last.
			continue
		}
		members.Set(node, priority)
		shown = append(shown, text)
	}
	domain = importing.Line()
	words = strings.Join(shown, ", ")
	for _, flag := range []struct {
		key  string
		set  bool
		says string
	}{{"ordered", ordered, ", ordered"}, {"restricted", restricted, ", restricted to these"},
		{"nofailback", stays, ", without failback"}} {
		if flag.set {
			domain.Set(flag.key, true)
			words += flag.says
		}
	}
	if ordered {
		domain.Set("members", members)
	} else {
		domain.Set("members", members.Keys())
	}
	return domain, words, true
}

// allowed are the nodes that may run it, the highest score first.
func (t *translation) allowed(l *location) []string {
	optIn := t.optIn()
	var allowed []string
	for _, name := range t.nodeNames() {
		value, named := l.scores[name]
		if value < 0 || optIn && !named || len(l.only) > 0 && !l.only[name] {
			continue
		}
		allowed = append(allowed, name)
	}
	slices.SortStableFunc(allowed, func(a, b string) int { return l.scores[b] - l.scores[a] })
	return allowed
}

// optIn reports whether a node may run only what names it.
func (t *translation) optIn() bool {
	symmetric, ok := importing.Truth(t.properties.get("symmetric-cluster"))
	return t.properties.has("symmetric-cluster") && ok && !symmetric
}

// ranks give equal scores equal ranks, from 1.
func (l *location) ranks(nodes []string) map[string]int {
	ranks := map[string]int{}
	rank := 0
	for n, node := range nodes {
		if n == 0 || l.scores[node] != l.scores[nodes[n-1]] {
			rank++
		}
		ranks[node] = min(rank, mostPriority)
	}
	return ranks
}
