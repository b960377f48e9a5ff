package rgconf

import (
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

const (
	// longestBudget is what a document takes as the time of an act.
	longestBudget = 24 * time.Hour
	margin        = 10 * time.Second
)

// service translates a service made of resources. A VM inside becomes a service
// of its own, because nested it could not be migrated live.
func (t *translation) service(e *importing.Element) {
	p := t.part(e)
	given := p.get("name")
	name := "service:" + importing.Name(given)
	switch {
	case given == "" || t.draft.Services.Has(name):
		t.SayWhole(cannot, e, "a service needs a name of its own; this one is left out")
		return
	case len(name) > longestServiceName:
		t.SayWhole(cannot, e, "a service's name has at most %d letters with its type; left out", longestServiceName)
		return
	}
	tree := t.resources(&branch{part: p, service: name, here: map[string]bool{}})
	vms := e.Find("vm")
	if len(tree) > 0 {
		spec := importing.NewMapping()
		t.draft.Services.Set(name, spec)
		t.tellPart(translated, p, []string{"name", "ref"}, "%s", name)
		t.Container(e)
		if len(vms) > 0 && !offWord(p.get("exclusive")) {
			t.tellPart(cannot, p, []string{"exclusive"}, "two services that share a node cannot be exclusive; neither is")
		}
		t.policy(p, spec)
		if t.fenceOnStop[name] {
			spec.Set("stop_failure", "fence")
		}
		t.draft.SetTree(name, tree)
	}
	for _, vm := range vms {
		t.innerVM(p, vm, name, len(tree) > 0)
	}
	if len(tree) == 0 && len(vms) == 0 {
		t.SayWhole(cannot, e, "nothing is left in this service, so it is left out")
		return
	}
	t.serviceExtras(p)
}

var serviceTable = []known{
	{[]string{"nfs_client_cache"}, unneeded, "no answer is kept between checks"},
	{[]string{"hardrecovery"}, cannot, "a node does not reboot itself when recovery fails; see stop_failure"},
}

func (t *translation) serviceExtras(p part) {
	for _, k := range serviceTable {
		t.tellPart(k.kind, p, k.names, "%s", k.message)
	}
	if yes, _ := importing.Truth(p.get("nfslock")); yes {
		t.tellPart(cannot, p, []string{"nfslock"}, "%s", noNFSLock)
	}
	t.tellPart(unneeded, p, []string{"nfslock"}, "not set")
	t.tellPart(unneeded, p, []string{"__independent_subtree", "__enforce_timeouts", "__max_restarts",
		"__restart_expire_time", "__max_failures", "__failure_expire_time"}, "these had no effect at the top")
	t.overridden(p)
	for _, action := range p.own.All("action") {
		t.SayAll(unneeded, action, "a service is checked by its resources")
	}
}

// overridden speaks of what a shared definition says and whoever refers to it says
// again.
func (t *translation) overridden(p part) {
	if p.shared != nil {
		t.Tell(unneeded, p.shared, p.shared.Names(), "what refers to it says its own")
		t.Container(p.shared)
	}
}

// innerVM translates a VM that stood inside a service.
func (t *translation) innerVM(outer part, e *importing.Element, service string, standing bool) {
	p := t.part(e)
	spec := t.vm(p)
	if spec == nil {
		return
	}
	name := "vm:" + importing.Name(p.get("name"))
	t.policy(part{own: outer.own, shared: p.own, defaults: outer.defaults}, spec)
	t.overridden(p)
	t.Tell(unneeded, e, e.Names(), "the outer service's settings count")
	if standing {
		t.shareNode(outer, spec, service)
		spec.Set("together", []string{service})
		t.Say(changes, e, nil, "%s is a service of its own, together with %s on one node: inside another service a VM "+
			"could not migrate live, and together they move by stopping", name, service)
		line := importing.Line()
		line.Set("service", service)
		line.Set("mode", "hard")
		spec.Set("depend", []*importing.Mapping{line})
		return
	}
	t.moved[service] = name
	t.Say(changes, outer.own, []string{"name"}, "becomes %s: a service of one VM is that VM, and it migrates live", name)
}

// shareNode ends the exclusive right of a service whose VM has to be beside it.
func (t *translation) shareNode(outer part, vm *importing.Mapping, service string) {
	if vm.Delete("exclusive") {
		t.draft.Services.Mapping(service).Delete("exclusive")
	}
}
