package rgconf

import (
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/fencing"
)

// clusterNodes translates nodes and, with them, how they are fenced.
func (t *translation) clusterNodes() {
	devices := t.fenceDevices()
	for _, list := range t.top.All("clusternodes") {
		t.Container(list)
		for _, e := range list.All("clusternode") {
			t.node(e, devices)
		}
	}
	devices.closing(t)
}

var nodeTable = []known{
	{[]string{"nodeid"}, unneeded, "a node is known by its name, key and hardware UUID; there are no numbers"},
	{[]string{"weight"}, unneeded, "there is no weight of nodes"},
}

func (t *translation) node(e *importing.Element, devices *fenceDevices) {
	given := e.Get("name")
	name := importing.Name(given)
	if given == "" || t.nodes[name] {
		t.SayWhole(cannot, e, "a node needs a name of its own; this one is left out")
		return
	}
	t.nodes[name] = true
	spec := importing.Line()
	t.draft.Nodes.Set(name, spec)
	if name != given {
		t.Say(changes, e, []string{"name"}, "the node is called %s here", name)
	}
	t.Tell(translated, e, []string{"name"}, "node %s", name)
	if strings.Contains(name, ".") {
		t.dotted = append(t.dotted, name)
	}
	t.tell(e, nodeTable)
	t.votes(e)
	for _, alternative := range e.All("altname") {
		t.SayWhole(cannot, alternative,
			"a second ring is not there: heartbeats take one network so far. Further `addresses` in the node's own file go "+
				"into its certificate only; bond the interfaces")
	}
	t.levels(name, e, spec, devices)
}

func (t *translation) votes(e *importing.Element) {
	switch e.Get("votes") {
	case "":
	case "1":
		t.Tell(unneeded, e, []string{"votes"}, "a voter has one vote; up to five nodes are voters")
	case "0":
		t.Tell(changes, e, []string{"votes"}, "the cluster chooses its voters itself, up to five; this node may become one")
	default:
		t.Tell(cannot, e, []string{"votes"}, "a voter has one vote, no more. Where one node must decide a tie, add a witness")
	}
}

// levels translates the methods of a node: tried in order, as levels are.
func (t *translation) levels(node string, e *importing.Element, spec *importing.Mapping, devices *fenceDevices) {
	var levels [][]string
	for _, fencing := range e.All("fence") {
		t.Container(fencing)
		for _, method := range fencing.All("method") {
			if level := t.method(node, method, devices); len(level) > 0 {
				levels = append(levels, level)
			}
		}
	}
	if len(levels) > 0 {
		spec.Set("fence", levels)
	} else {
		t.Say(cannot, e, nil, "no fence device is left for this node: it is `unprotected`, and when it is lost, what "+
			"ran there stays down until somebody says `clusterd fence confirm %s`", node)
		t.unfenced = append(t.unfenced, node)
	}
	for _, unfence := range e.All("unfence") {
		t.unfence(unfence, devices)
	}
}

// method translates one method into a level: the devices in it that switch off.
func (t *translation) method(node string, method *importing.Element, devices *fenceDevices) []string {
	t.Quiet(method, "name")
	var level, lost []string
	seen := map[string]bool{}
	for _, use := range method.All("device") {
		name, less := devices.use(t, node, use)
		if less {
			lost = append(lost, use.Get("name"))
		}
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		level = append(level, name)
	}
	switch {
	case len(method.All("device")) == 0:
		t.SayAll(cannot, method, "this method has no device and is left out")
	case len(level) == 0:
		t.SayAll(cannot, method, "none of its devices can be used, so this level is left out")
	case len(lost) > 0:
		t.SayAll(cannot, method, "%s is not in the document, and %s", strings.Join(lost, ", "), fencing.AboutRest)
		return nil
	case len(level) == 1:
		t.SayAll(translated, method, "a fence level with %s", level[0])
	default:
		t.SayAll(translated, method, "a fence level with %s: all of them are switched off at the same time, and all "+
			"must be proven off", strings.Join(level, ", "))
	}
	return level
}

func (t *translation) unfence(e *importing.Element, devices *fenceDevices) {
	t.Container(e)
	for _, use := range e.All("device") {
		if fencing.Storage(devices.agent(use.Get("name"))) {
			t.SayWhole(changes, use, "clusterd registers a node at the storage itself, when it is admitted, where a device "+
				"with `driver: scsi` is declared")
			continue
		}
		t.SayWhole(unneeded, use, "power fencing needs no unfencing: a machine that was fenced stays off until a person "+
			"switches it on")
	}
}
