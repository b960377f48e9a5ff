package rgconf

import (
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

var managerTable = []known{
	{[]string{"log_level", "log_facility"}, unneeded,
		"clusterd logs to the journal; log_level is in /etc/clusterd/node.yaml"},
	{[]string{"status_child_max"}, unneeded, "checks of different services run side by side"},
	{[]string{"status_poll_interval"}, unneeded, "each check has its own interval and is not rounded up to a scan"},
	{[]string{"transition_throttling"}, unneeded, "nothing lingers: the leader decides on each batch of news at once"},
}

// resourceManager translates <rm>.
func (t *translation) resourceManager() {
	for _, rm := range t.top.All("rm") {
		t.Container(rm)
		t.managerSwitches(rm)
		t.failoverDomains(rm)
		t.events(rm)
		t.sharedResources(rm)
		for _, e := range rm.Children {
			switch e.Name {
			case "service", "resourcegroup":
				t.service(e)
			case "vm":
				t.topVM(e)
			}
		}
		t.dependencies(rm)
		t.closeDefaults()
	}
}

func (t *translation) managerSwitches(rm *importing.Element) {
	t.tell(rm, managerTable)
	if t.unmanaged, _ = importing.Truth(rm.Get("disabled")); t.unmanaged {
		t.Tell(changes, rm, []string{"disabled"},
			"rgmanager managed nothing at all. Here every service is declared with autostart: false and stays down until "+
				"it is enabled")
	}
	t.Tell(unneeded, rm, []string{"disabled"}, "not set")
	if t.centrally(rm) {
		t.Tell(changes, rm, []string{"central_processing"},
			"one leader always decides, without S-Lang. Unlike central processing: failback of a VM is live, "+
				"restart-disable works, and a member without a priority comes last")
	}
	t.Tell(unneeded, rm, []string{"central_processing"},
		"one leader decides here; hard and soft dependencies, exclusive services and priorities work always")
}

func (t *translation) centrally(rm *importing.Element) bool {
	yes, _ := importing.Truth(rm.Get("central_processing"))
	return yes
}

// central reports whether central processing was on.
func (t *translation) central() bool {
	return slices.ContainsFunc(t.top.All("rm"), t.centrally)
}

func (t *translation) failoverDomains(rm *importing.Element) {
	for _, list := range rm.All("failoverdomains") {
		t.Container(list)
		for _, e := range list.All("failoverdomain") {
			t.failoverDomain(e)
		}
	}
}

func (t *translation) flag(e *importing.Element, name string) bool {
	yes, ok := importing.Truth(e.Get(name))
	if !ok {
		t.Tell(cannot, e, []string{name}, "neither 0 nor 1; taken for 0, as rgmanager did")
	}
	return yes
}

func (t *translation) failoverDomain(e *importing.Element) {
	name := importing.Name(e.Get("name"))
	if e.Get("name") == "" || t.draft.Domains.Has(name) || t.refused[name] {
		t.SayWhole(cannot, e, "a failover domain needs a name of its own; this one is left out")
		return
	}
	ordered, restricted, nofailback := t.flag(e, "ordered"), t.flag(e, "restricted"), t.flag(e, "nofailback")
	domain := importing.Line()
	for _, flag := range []struct {
		key string
		set bool
	}{{"ordered", ordered}, {"restricted", restricted}, {"nofailback", nofailback}} {
		if flag.set {
			domain.Set(flag.key, true)
		}
	}
	members := t.members(name, e, ordered)
	if members.Len() == 0 {
		t.noMembers(name, e, restricted)
		return
	}
	domain.Set("members", membersValue(members, ordered))
	t.draft.Domains.Set(name, domain)
	for _, flag := range []string{"ordered", "restricted", "nofailback"} {
		if !domain.Has(flag) {
			t.Tell(unneeded, e, []string{flag}, "as without it")
		}
	}
	t.Tell(translated, e, e.Names(), "domain %s: %s", name, domainWords(ordered, restricted, nofailback))
}

func domainWords(ordered, restricted, nofailback bool) string {
	words := []string{"members are alike, and the one with the least load is taken",
		"others may run it when no member can", "a service moves to a better member that comes back"}
	if ordered {
		words[0] = "members are preferred by priority"
	}
	if restricted {
		words[1] = "only members may run it"
	}
	if nofailback || !ordered {
		words[2] = "a service stays on the member where it is"
	}
	return strings.Join(words, "; ")
}

func (t *translation) noMembers(name string, e *importing.Element, restricted bool) {
	if restricted {
		t.refused[name] = true
		t.Tell(cannot, e, e.Names(), "a restricted domain without members lets no node run anything; it is left out, and "+
			"its services are declared with autostart: false")
		return
	}
	t.Tell(changes, e, e.Names(), "a domain without members allows every node; it is left out, and so its services "+
		"have no domain")
}

// membersValue lists members that have no rank.
func membersValue(members *importing.Mapping, ordered bool) any {
	if ordered {
		return members
	}
	return members.Keys()
}

func (t *translation) members(domain string, e *importing.Element, ordered bool) *importing.Mapping {
	members := importing.Line()
	for _, m := range e.All("failoverdomainnode") {
		node := importing.Name(m.Get("name"))
		switch {
		case !t.nodes[node]:
			t.SayAll(cannot, m, "no clusternode has this name; left out of domain %s", domain)
			continue
		case members.Has(node):
			t.SayAll(cannot, m, "named twice in domain %s; the first counts", domain)
			continue
		case !ordered:
			t.Tell(unneeded, m, []string{"priority"}, "priorities of a domain that is not ordered were never read")
			members.Set(node, 1)
			t.Say(translated, m, []string{"name"}, "member of domain %s", domain)
			continue
		}
		priority, err := strconv.Atoi(strings.TrimSpace(m.Get("priority")))
		if err != nil || priority < 1 || priority > 100 {
			members.Set(node, nil)
			t.SayAll(changes, m, "a member without a priority from 1 to 100 comes last. rgmanager preferred it to all "+
				"others, and its central processing put it last")
			continue
		}
		members.Set(node, priority)
		t.SayAll(translated, m, "member of domain %s with priority %d", domain, priority)
	}
	return members
}

// events: the scripts of central processing.
func (t *translation) events(rm *importing.Element) {
	for _, list := range rm.All("events") {
		t.Container(list)
		for _, e := range list.All("event") {
			t.SayWhole(cannot, e, "S-Lang scripts are not run. Where it kept services together or apart, write together or "+
				"apart; where it ordered them, depend or tier")
		}
	}
}
