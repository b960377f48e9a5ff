package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/nets"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// key is a row of a table of keys that the parser of documents reads.
type key[T any] = keys.Key[*parser, T]

// documentKeys are those at the top.
var documentKeys = slices.Concat([]key[cluster.Document]{
	{
		Name:   "cluster",
		Effect: EffectNow,
		Read:   func(p *parser, d *cluster.Document) func(*yaml.Node) { return p.Name(&d.Cluster, "cluster") },
		Changed: func(old, new cluster.Document) (told keys.Changes) {
			if old.Cluster != new.Cluster {
				told = told.And(EffectNow, "cluster: the name changes from %q to %q", old.Cluster, new.Cluster)
			}
			return told
		},
		Shown: func(d cluster.Document) string { return "cluster " + d.Cluster },
		Means: "the cluster's name; needed",
	},
	{
		Name:   "timing",
		Says:   "timing: the profile",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Document) func(*yaml.Node) {
			return p.Choice(&d.Timing, "timing", Timings...)
		},
		Told:  func(d cluster.Document) string { return profile(d.Timing) },
		Shown: func(d cluster.Document) string { return ", timing " + profile(d.Timing) },
		Means: "how fast a silent node is given up: `fast`, `normal`, `relaxed`",
	},
	{
		Name:   "start_at_once",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Document) func(*yaml.Node) {
			return p.Number(&d.StartAtOnce, "start_at_once", 1, mostServices)
		},
		Told: func(d cluster.Document) string { return strconv.Itoa(d.StartAtOnce) },
		Shown: func(d cluster.Document) string {
			return onlyIf(d.StartAtOnce > 0, "\nat most %d services are starting at once", d.StartAtOnce)
		},
		Means: "how many services may be starting at the same time in the whole cluster; without it there is no limit",
	},
	{
		Name:   "stop_grace",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Document) func(*yaml.Node) {
			return p.Duration(&d.StopGrace, "stop_grace", leastStopGrace, longestBudget)
		},
		Told: func(d cluster.Document) string { return d.StopGrace.String() },
		Shown: func(d cluster.Document) string {
			return onlyIf(d.StopGrace > 0, "\na daemon that is stopped on purpose has %s to come back", d.StopGrace)
		},
		Means: "how long a daemon that was stopped on purpose (`systemctl stop clusterd`, a package upgrade) is waited " +
			"for while its host's kernel answers, before the host is fenced: 15s to 24h, `10m` by default. `systemctl " +
			"status clusterd` says so while it is stopped. A host that runs something under a " +
			"[watchdog](fencing.md#watchdog) is reset within lease and timeout all the same, and the line says that",
	},
}, inOneRow("how full each node may become, see [below](#how-full-a-node-may-become)",
	func(d cluster.Document) string {
		text := allowanceText(d.Allowance)
		return onlyIf(text != "", "\nof each node: %s", text)
	},
	allowanceKeys(func(*cluster.Document) string { return "" },
		func(d *cluster.Document) *cluster.Allowance { return &d.Allowance })), []key[cluster.Document]{
	{
		Name:   "fencing",
		Effect: EffectNow,
		Read:   func(p *parser, _ *cluster.Document) func(*yaml.Node) { return p.fencing },
		Changed: func(old, new cluster.Document) keys.Changes {
			return keys.Diff(fencingKeys, old.Fencing.WithDefaults(), new.Fencing.WithDefaults()).Of("fencing")
		},
		Shown: func(d cluster.Document) string {
			return "\nfencing" + keys.Show(fencingKeys, d.Fencing.WithDefaults(), ", ")
		},
		Means: "the numbers of the brake, see below; may be missing",
	},
	{
		Name:   "two_node",
		Effect: EffectNow,
		Read:   func(p *parser, _ *cluster.Document) func(*yaml.Node) { return p.twoNode },
		Changed: func(old, new cluster.Document) (told keys.Changes) {
			if was, is := twoNodeText(old), twoNodeText(new); was != is {
				told = told.And(EffectNow, "two_node changes from %q to %q", was, is)
			}
			return told
		},
		Shown: func(d cluster.Document) string {
			return onlyIf(d.TwoNode != nil, "\ntwo nodes: one may go on without the other, %s", twoNodeText(d))
		},
		Means: "lets one of two nodes without a witness go on when the other is gone, see [below](#two_node)",
	},
	{
		Name:   "web",
		Says:   "page",
		Effect: EffectNow,
		Read:   func(p *parser, _ *cluster.Document) func(*yaml.Node) { return p.web },
		Told:   func(d cluster.Document) string { return webText(d.Web) },
		Shown:  func(d cluster.Document) string { return onlyIf(d.Web != nil, "\npage: %s", webText(d.Web)) },
		Means:  "the page that every node serves, see [below](#web); without it there is none",
	},
}, sectionKeys)

// sectionKeys are the keys at the top under which things stand by their names. What a change of one
// of these does, its own keys say.
var sectionKeys = []key[cluster.Document]{
	{
		Name: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) { return p.section("nodes", mostNodes, p.node) },
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("node", old.Nodes, new.Nodes, changedNode,
				says[cluster.NodeSpec](EffectNow, "as a member it can be fenced as declared"),
				"it stays a member (clusterd node remove ends that), and can no longer be fenced")
		},
		Shown: func(d cluster.Document) string { return each(d.Nodes, nodeText) },
		Means: "sections; each may be missing",
	},
	{
		Name:   "devices",
		Beside: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) {
			return p.section("devices", mostNodes*mostLevels, p.device)
		},
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("device", old.Devices, new.Devices, changedDevice, says[fence.Device](EffectNow, ""), "")
		},
		Shown: func(d cluster.Document) string { return each(d.Devices, deviceText) },
	},
	{
		Name:   "domains",
		Beside: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) {
			return p.section("domains", mostDomains, p.domain)
		},
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("domain", old.Domains, new.Domains, changedDomain, says[domain.Domain](EffectNow, ""), "")
		},
		Shown: func(d cluster.Document) string { return each(d.Domains, domainText) },
	},
	{
		Name:   "services",
		Beside: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) {
			return p.section("services", mostServices, p.service)
		},
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("service", old.Services, new.Services, changedService, addedService,
				"it is no longer started; it is remembered until it is known to run nowhere")
		},
		Shown: func(d cluster.Document) string { return each(d.Services, serviceText) },
	},
	{
		// What refers to these resources has taken them in: its service tells a change.
		Name:   "resources",
		Beside: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) {
			return p.section("resources", mostShared, p.sharedResource)
		},
	},
	{
		Name:   "networks",
		Beside: "nodes",
		Read: func(p *parser, _ *cluster.Document) func(*yaml.Node) {
			return p.section("networks", nets.Most, p.networks.Network)
		},
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("network", old.Networks, new.Networks,
				func(old, new resources.Network) keys.Changes { return keys.Diff(nets.Keys, old, new) },
				says[resources.Network](EffectNow, "it is made where a service that is attached to it runs"),
				"it is taken away where nothing is attached to it any longer")
		},
		Shown: func(d cluster.Document) string {
			return each(d.Networks, func(name string, n resources.Network) string {
				return "network " + name + keys.Show(nets.Keys, n, ", ")
			})
		},
	},
	{
		Name:   "alerts",
		Beside: "nodes",
		Read:   func(p *parser, _ *cluster.Document) func(*yaml.Node) { return p.section("alerts", mostAlerts, p.alert) },
		Changed: func(old, new cluster.Document) keys.Changes {
			return compare("alert", old.Alerts, new.Alerts, changedAlert,
				says[cluster.Alert](EffectNow, "it is told of what happens from now on"), "")
		},
		Shown: func(d cluster.Document) string { return each(d.Alerts, alertText) },
	},
}

// Print tells in words what a document means: what the cluster makes of it, defaults filled in.
// Passwords are masked.
func Print(document cluster.Document) string { return keys.Show(documentKeys, document, "\n") + "\n" }

// each lists the things of a section, in the order of their names.
func each[T any](things map[string]T, text func(name string, thing T) string) string {
	var shown strings.Builder
	for _, name := range slices.Sorted(maps.Keys(things)) {
		shown.WriteString("\n" + text(name, things[name]))
	}
	return shown.String()
}

// onlyIf is a sentence about what is declared, and nothing where it is not.
func onlyIf(declared bool, format string, arguments ...any) string {
	if !declared {
		return ""
	}
	return fmt.Sprintf(format, arguments...)
}

func profile(timing string) string { return cmp.Or(timing, "normal") }

// webKeys are the keys of the page. A change of any of them is told as one of "page".
var webKeys = []key[cluster.Web]{
	{
		Name:   "listen",
		Effect: EffectNow,
		Read:   func(p *parser, w *cluster.Web) func(*yaml.Node) { return p.Text(&w.Listen, "the listen of web") },
		Means: "where each node serves the page: `\":PORT\"` is the node's own address, `\"0.0.0.0:PORT\"` all of its " +
			"addresses",
	},
	{
		Name:   "certificate",
		Effect: EffectNow,
		Read: func(p *parser, w *cluster.Web) func(*yaml.Node) {
			return p.Text(&w.Certificate, "the certificate of web")
		},
		Means: "files in PEM on every node, with whole paths; the key's file has mode 0600. Without them the cluster's " +
			"authority signs one",
	},
	{
		Name:   "key",
		Beside: "certificate",
		Effect: EffectNow,
		Read:   func(p *parser, w *cluster.Web) func(*yaml.Node) { return p.Text(&w.Key, "the key of web") },
	},
}

// web reads how the page is served.
func (p *parser) web(node *yaml.Node) {
	var web cluster.Web
	p.Mapping(node, "web", keys.Fields(webKeys, p, &web))
	host, port, err := net.SplitHostPort(web.Listen)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	_, notAddress := netip.ParseAddr(host)
	switch {
	case node.Kind != yaml.MappingNode:
		return
	case err != nil || notNumber != nil || number == 0 || host != "" && notAddress != nil:
		p.Fault(node, "the listen of web is %q; write \":PORT\" for each node's own address, or \"ADDRESS:PORT\", for "+
			"example listen: \":7444\"", strict.Brief(web.Listen))
	case (web.Certificate == "") != (web.Key == ""):
		p.Fault(node, "web has one of certificate and key; give both, or none for a certificate of the cluster's authority")
	case web.Certificate != "" && !(filepath.IsAbs(web.Certificate) && filepath.IsAbs(web.Key)):
		p.Fault(node, "certificate and key of web are files on each node; write their whole paths, beginning with /")
	}
	p.document.Web = &web
}

// webText tells how the page is served.
func webText(web *cluster.Web) string {
	switch {
	case web == nil:
		return "none"
	case web.Certificate == "":
		return "served on " + web.Listen + " with a certificate of the cluster's authority"
	}
	return "served on " + web.Listen + " with certificate " + web.Certificate + " and key " + web.Key
}

// twoNodeKeys are the keys of the rule by which one of two nodes may go on without the other. A
// change of either is told as one of two_node.
var twoNodeKeys = []key[cluster.TwoNode]{
	{
		Name:   "favour",
		Effect: EffectNow,
		Read: func(p *parser, rule *cluster.TwoNode) func(*yaml.Node) {
			return p.named(&rule.Favour, "favour", "two_node", &p.places.nodeUses)
		},
		Means: "the node that shoots first when both are alive and have lost each other. Without it: the node that is " +
			"the first choice of more services, by their ordered domains; with as many on both, the first by name",
	},
	{
		Name:   "delay",
		Effect: EffectNow,
		Read: func(p *parser, rule *cluster.TwoNode) func(*yaml.Node) {
			return p.Duration(&rule.Delay, "delay", cluster.TwoNodeDelayShortest, cluster.TwoNodeDelayLongest)
		},
		Means: "how long the other one waits, 3 s to 5 min; 15 s where nothing is written. **Twice as long as your BMCs " +
			"take at the worst to cut the power after they accepted the command**: a command that arrives later could meet " +
			"one from the other side, and both hosts would be off",
	},
}

// twoNode reads the rule.
func (p *parser) twoNode(node *yaml.Node) {
	rule := cluster.TwoNode{Delay: cluster.TwoNodeDelay}
	p.places.twoNode = node
	if node.ShortTag() != "!!null" {
		p.Mapping(node, "two_node", keys.Fields(twoNodeKeys, p, &rule))
	}
	p.document.TwoNode = &rule
}

// named reads the name of something that is declared elsewhere, and remembers it for the search
// for names of nothing.
func (p *parser) named(into *string, what, by string, uses *[]use) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if name, ok := p.Word(node, what); ok {
			*into = name
			*uses = append(*uses, use{name: name, by: by, at: node})
		}
	}
}

// checkTwoNode holds what the rule needs: two nodes that can be fenced. Whether one
// of them is a witness is known to the cluster alone, which refuses it then.
func (p *parser) checkTwoNode() {
	if p.document.TwoNode == nil {
		return
	}
	if count := len(p.document.Nodes); count != 2 {
		p.Fault(p.places.twoNode, "two_node is for exactly two nodes, and %d stand under nodes: with three votes the "+
			"majority decides, and with one there is nobody to go on without", count)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.document.Nodes)) {
		if len(p.document.Nodes[name].Fence) == 0 {
			p.Fault(p.places.nodes[name], "two_node needs a fence device for %s: without one, nobody can know that it is "+
				"off, and the other one waits forever", name)
		}
	}
}

func twoNodeText(document cluster.Document) string {
	if document.TwoNode == nil {
		return "none"
	}
	text := fmt.Sprintf("%s is favoured, the other waits %s longer", document.Favoured(),
		cmp.Or(document.TwoNode.Delay, cluster.TwoNodeDelay))
	if document.TwoNode.Favour == "" {
		text += " (by the services' domains)"
	}
	return text
}

// leastStopGrace is the grace of a daemon that fell silent without a word: one that was stopped
// on purpose has no less.
const leastStopGrace = 15 * time.Second
