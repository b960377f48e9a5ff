package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// nodeEntry is what the document says about a node, and its name.
type nodeEntry struct {
	name string
	cluster.NodeSpec
}

// nodeKeys are the keys of a node.
var nodeKeys = slices.Concat([]key[nodeEntry]{
	{
		Name:   "site",
		Effect: EffectNow,
		Read:   func(p *parser, n *nodeEntry) func(*yaml.Node) { return p.Name(&n.Site, "site") },
		Told:   func(n nodeEntry) string { return n.Site },
		Means:  "a label by which voters are spread",
	},
	{
		Name:   "fence",
		Says:   "fence levels",
		Effect: EffectNow,
		Read: func(p *parser, n *nodeEntry) func(*yaml.Node) {
			return func(levels *yaml.Node) { n.Fence = p.levels(n.name, levels) }
		},
		Told: func(n nodeEntry) string { return levelsText(n.Fence) },
		// What it is fenced by ends the line, after how full it may become.
		Shown: func(n nodeEntry) string {
			allowed := allowanceText(n.Allowance)
			text := onlyIf(allowed != "", ", %s", allowed)
			if len(n.Fence) == 0 {
				return text + ", without a fence device: its services cannot be recovered when it is lost"
			}
			return text + ", fenced by " + levelsText(n.Fence)
		},
		Means: "a list of levels, each a list of devices. Levels are tried in order; all devices of a level must " +
			"succeed. A device that switches power belongs to one node; those of the drivers `scsi`, `watchdog` and `sbd` " +
			"may be named by several",
	},
}, inOneRow("as at the top, for this node alone", keys.Unseen[nodeEntry], allowanceKeys(
	func(n *nodeEntry) string { return " of node " + n.name },
	func(n *nodeEntry) *cluster.Allowance { return &n.Allowance })))

// node reads one node.
func (p *parser) node(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "node", name) {
		return
	}
	p.places.nodes[name] = key
	n := nodeEntry{name: name}
	if value.ShortTag() != "!!null" {
		p.Mapping(value, "node "+name, keys.Fields(nodeKeys, p, &n))
	}
	p.document.Nodes[name] = n.NodeSpec
}

func changedNode(old, new cluster.NodeSpec) keys.Changes {
	return keys.Diff(nodeKeys, nodeEntry{NodeSpec: old}, nodeEntry{NodeSpec: new})
}

func nodeText(name string, spec cluster.NodeSpec) string {
	return "node " + name + keys.Show(nodeKeys, nodeEntry{name: name, NodeSpec: spec}, ", ")
}

// allowanceKeys are the keys of how full a node may become, for what has an Allowance in it. of
// says in a fault whose they are. All of them are listed in one sentence (allowanceText).
func allowanceKeys[T any](of func(*T) string, in func(*T) *cluster.Allowance) []key[T] {
	return []key[T]{
		{
			Name:   "reserve_memory",
			Effect: EffectNow,
			Read: func(p *parser, t *T) func(*yaml.Node) {
				return p.reserveMemory(in(t), "reserve_memory"+of(t))
			},
			Changed: func(old, new T) keys.Changes { return changedReserve(*in(&old), *in(&new)) },
			Shown:   keys.Unseen[T],
			Means: "how much memory of a node is kept from services, for the host itself: `2GiB`, `512MiB`, `0`. Without it " +
				"1 GiB, of a host with less than 8 GiB an eighth",
		},
		{
			Name:   "memory_overcommit",
			Effect: EffectNow,
			Read: func(p *parser, t *T) func(*yaml.Node) {
				return p.Ratio(&in(t).Memory, "memory_overcommit"+of(t), 100, mostMemoryOvercommit)
			},
			Told:  func(t T) string { return ratioText(in(&t).Memory) },
			Shown: keys.Unseen[T],
			Means: "how many times the rest may be promised: 1 (the default) to 10, such as `1.5`. More than 1 is safe only " +
				"where guests share memory or give it back (KSM, balloons), or where there is swap",
		},
		{
			Name:   "cpu_overcommit",
			Effect: EffectNow,
			Read: func(p *parser, t *T) func(*yaml.Node) {
				return p.Ratio(&in(t).CPUs, "cpu_overcommit"+of(t), leastCPUOvercommit, mostCPUOvercommit)
			},
			Told:  func(t T) string { return ratioText(in(&t).CPUs) },
			Shown: keys.Unseen[T],
			Means: "how many times the processors may be promised: 0.1 to 100. Without it there is no limit, and processors " +
				"only rank nodes that are otherwise equal",
		},
	}
}

// inOneRow gives keys that are explained elsewhere one row of the reference for all of them, and
// has the first of them listed.
func inOneRow[T any](means string, shown func(T) string, rows []key[T]) []key[T] {
	for i := range rows {
		rows[i].Means, rows[i].Default, rows[i].Beside = "", "", rows[0].Name
	}
	rows[0].Means, rows[0].Beside, rows[0].Shown = means, "", shown
	return rows
}

// reserveMemory reads how much memory of a node is kept from services.
func (p *parser) reserveMemory(into *cluster.Allowance, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		var bytes uint64
		p.Size(&bytes, what, 0, largestMemory)(node)
		reserve := resources.Bytes(bytes)
		into.Reserve = &reserve
	}
}

// changedReserve tells what changes of the memory that is kept from services.
func changedReserve(old, new cluster.Allowance) keys.Changes {
	was, is := reserveText(old), reserveText(new)
	if was == is && was != "" { // as they are told, both are the same
		was, is = fmt.Sprintf("%d MiB", *old.Reserve/resources.MiB), fmt.Sprintf("%d MiB", *new.Reserve/resources.MiB)
	}
	return keys.Changes(nil).Note(EffectNow, "reserve_memory", was, is)
}

// reserveText is the memory that is kept from services; "" where nothing is declared.
func reserveText(a cluster.Allowance) string {
	if a.Reserve == nil {
		return ""
	}
	return a.Reserve.String()
}

// ratioText is a factor that is kept in percent; "" for none.
func ratioText(percent int) string {
	if percent == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(percent)/100, 'f', -1, 64)
}

// allowanceText tells how full a node may become, as far as something is declared.
func allowanceText(a cluster.Allowance) string {
	var texts []string
	for _, part := range []struct{ text, says string }{
		{reserveText(a), "%s of memory kept from services"}, {ratioText(a.Memory), "memory promised %s times"},
		{ratioText(a.CPUs), "CPUs promised %s times"},
	} {
		if part.text != "" {
			texts = append(texts, fmt.Sprintf(part.says, part.text))
		}
	}
	return strings.Join(texts, ", ")
}

// levels reads a list of levels, each a list of devices.
func (p *parser) levels(node string, list *yaml.Node) []fence.Level {
	var levels []fence.Level
	what := "fence of node " + node
	p.Sequence(list, what, func(item *yaml.Node) {
		if item.Kind == yaml.ScalarNode {
			p.Fault(item, "%s is a list of levels, each a list of devices; write [[%s]]", what, strict.Brief(item.Value))
			return
		}
		var level fence.Level
		p.Sequence(item, "a level in "+what, func(device *yaml.Node) {
			if name, ok := p.Word(device, "a device in "+what); ok {
				level.Devices = append(level.Devices, name)
				p.places.deviceUses = append(p.places.deviceUses, use{name: name, by: node, at: device})
			}
		})
		if item.Kind == yaml.SequenceNode && len(item.Content) == 0 {
			p.Fault(item, "a level in %s has no device", what)
		}
		levels = append(levels, level)
	})
	if len(levels) > mostLevels {
		p.Fault(list, "%s has %d levels; %d is the most", what, len(levels), mostLevels)
	}
	return levels
}

func levelsText(levels []fence.Level) string {
	texts := make([]string, 0, len(levels))
	for _, level := range levels {
		texts = append(texts, "["+strict.List(level.Devices)+"]")
	}
	return strings.Join(texts, " then ")
}

// domainKeys are the keys of a failover domain.
var domainKeys = []key[domain.Domain]{
	{
		Name:   "ordered",
		Effect: EffectNow,
		Read:   func(p *parser, d *domain.Domain) func(*yaml.Node) { return p.Boolean(&d.Ordered, "ordered") },
		Told:   func(d domain.Domain) string { return strconv.FormatBool(d.Ordered) },
		Means:  "members are preferred by priority; default false",
	},
	{
		Name:   "restricted",
		Effect: EffectNow,
		Read:   func(p *parser, d *domain.Domain) func(*yaml.Node) { return p.Boolean(&d.Restricted, "restricted") },
		Told:   func(d domain.Domain) string { return strconv.FormatBool(d.Restricted) },
		Means:  "only members may run it; default false",
	},
	{
		Name:   "nofailback",
		Effect: EffectNow,
		Read:   func(p *parser, d *domain.Domain) func(*yaml.Node) { return p.Boolean(&d.NoFailback, "nofailback") },
		Told:   func(d domain.Domain) string { return strconv.FormatBool(d.NoFailback) },
		Means:  "a service stays where it is when a better member comes back; default false",
	},
	{
		Name:   "members",
		Effect: EffectNow,
		Read: func(p *parser, d *domain.Domain) func(*yaml.Node) {
			return func(node *yaml.Node) { d.Members = p.members(d.Name, node) }
		},
		Told:  membersText,
		Shown: func(d domain.Domain) string { return ": " + membersText(d) },
		Means: "`[node1, node2]`, or `{node1: 1, node2: 2}` with priorities from 1 (best) to 100. A member without a " +
			"priority comes last",
	},
}

// domain reads one failover domain.
func (p *parser) domain(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "domain", name) {
		return
	}
	p.places.domains[name] = key
	d := domain.Domain{Name: name}
	p.Mapping(value, "domain "+name, keys.Fields(domainKeys, p, &d))
	if value.Kind == yaml.MappingNode && entry(value, "members") == nil {
		p.Fault(key, "domain %s has no members", name)
	}
	p.document.Domains[name] = d
}

// members reads {node1: 1, node2: 2} or [node1, node2].
func (p *parser) members(name string, node *yaml.Node) []domain.Member {
	var found []domain.Member
	what := "members of domain " + name
	keep := func(at *yaml.Node, member domain.Member) {
		for _, other := range found {
			if other.Node == member.Node {
				p.Fault(at, "%q appears twice in %s", member.Node, what)
				return
			}
		}
		found = append(found, member)
		p.places.nodeUses = append(p.places.nodeUses, use{name: member.Node, by: "domain " + name, at: at})
	}
	switch node.Kind {
	case yaml.MappingNode:
		p.Entries(node, what, func(key, value *yaml.Node) {
			member := domain.Member{Node: key.Value}
			if value.ShortTag() != "!!null" {
				p.Number(&member.Priority, "the priority of "+key.Value+" in domain "+name, 1, 100)(value)
			}
			keep(key, member)
		})
	case yaml.SequenceNode:
		p.Sequence(node, what, func(item *yaml.Node) {
			if member, ok := p.Word(item, "a member of domain "+name); ok {
				keep(item, domain.Member{Node: member})
			}
		})
	default:
		p.Fault(node, "%s must be a list of nodes or a mapping from node to priority, not %s", what, strict.KindOf(node))
		return nil
	}
	if len(node.Content) == 0 {
		p.Fault(node, "domain %s has no members", name)
	}
	return found
}

func changedDomain(old, new domain.Domain) keys.Changes {
	told := keys.Diff(domainKeys, old, new)
	if len(told) > 0 {
		told[len(told)-1].Text += " (services move only where the domain's rules now ask for it)"
	}
	return told
}

func domainText(name string, d domain.Domain) string {
	return "domain " + name + keys.Show(domainKeys, d, ", ")
}

func sortedMembers(d domain.Domain) []domain.Member {
	return slices.SortedFunc(slices.Values(d.Members),
		func(a, b domain.Member) int { return strings.Compare(a.Node, b.Node) })
}

func membersText(d domain.Domain) string {
	texts := make([]string, 0, len(d.Members))
	for _, member := range sortedMembers(d) {
		if member.Priority == 0 {
			texts = append(texts, member.Node)
			continue
		}
		texts = append(texts, fmt.Sprintf("%s=%d", member.Node, member.Priority))
	}
	return strings.Join(texts, " ")
}
