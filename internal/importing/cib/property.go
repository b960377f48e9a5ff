package cib

import (
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

// known is what is said of properties whatever their value.
type known struct {
	names   []string
	kind    importing.Kind
	message string
}

var propertyTable = []known{
	{[]string{"dc-version", "cluster-infrastructure", "have-watchdog", "last-lrm-refresh", "cib-bootstrap-options"},
		unneeded, "Pacemaker's own note"},
	{[]string{"cluster-recheck-interval", "dc-deadtime", "election-timeout", "join-integration-timeout",
		"join-finalization-timeout", "shutdown-escalation", "transition-delay", "crmd-transition-delay", "load-threshold",
		"node-action-limit", "batch-limit", "pe-error-series-max", "pe-warn-series-max", "pe-input-series-max",
		"cluster-ipc-limit", "default-action-timeout", "enable-startup-probes", "remove-after-stop", "cluster-delay"},
		unneeded,
		"the leader decides on each batch of news at once; there is nothing to tune"},
	{[]string{"stop-orphan-resources", "stop-orphan-actions"}, changes,
		"a service that is taken out of the document is not stopped; it is remembered until it is known to run nowhere"},
	{[]string{"startup-fencing"}, changes,
		"a node that this cluster never heard is waited for (60 s), and then fenced if it may hold a service"},
	{[]string{"stonith-timeout", "stonith-max-attempts"}, unneeded,
		"a fence attempt has 30 s, and after three rounds of all levels and nodes the cluster waits and says for what"},
	{[]string{"concurrent-fencing"}, changes,
		"one node is fenced at a time, unless the document has fencing: {at_once: N}; half of the nodes or more are " +
			"never shot without an operator"},
	{[]string{"priority-fencing-delay"}, changes, "nobody waits before a shot: a majority decides who is lost"},
	{[]string{"fence-reaction"}, changes, "a node that was fenced and lives is not admitted with that boot"},
	{[]string{"start-failure-is-fatal"}, changes,
		"a start that failed is tried on the other nodes, and where it failed comes last"},
	{[]string{"migration-limit"}, changes,
		"a node carries out four live moves at a time, which cannot be set"},
	{[]string{"stonith-watchdog-timeout"}, cannot, "a watchdog is a fence level of each node here: declare a device " +
		"with `driver: watchdog`, or `driver: sbd` with the disks where sbd had some, and name it in `fence` of the nodes"},
	{[]string{"node-pending-timeout"}, unneeded,
		"a node that does not come up within the grace is fenced, where it may hold a service"},
	{[]string{"fence-remote-without-quorum"}, changes, "without a quorum nothing is fenced"},
	{[]string{"enable-acl"}, changes, "roles belong to client certificates"},
	{[]string{"shutdown-lock", "shutdown-lock-limit"}, cannot,
		"services of a node that shuts down move to other nodes; freeze those that shall wait"},
	{[]string{"node-health-strategy", "node-health-base", "node-health-green", "node-health-yellow", "node-health-red"},
		cannot, "health values of nodes are not read"},
}

// property translates the cluster's properties.
func (t *translation) property() {
	p := t.properties
	for _, k := range propertyTable {
		p.tell(k.kind, k.message, k.names...)
	}
	t.stonithProperties()
	if policy := p.get("no-quorum-policy"); policy == "" || policy == "stop" {
		p.tell(changes, "without a quorum nothing is started, moved or fenced, and VMs that run are left running",
			"no-quorum-policy")
	} else {
		p.tell(changes, policy+": without a quorum nothing is started, moved or fenced, whatever is written; what runs "+
			"is left running", "no-quorum-policy")
	}
	t.twoNodes()
	if strategy := p.get("placement-strategy"); strategy != "" && strategy != "default" {
		p.tell(changes, "a service runs only where there is memory for it, always. Nodes of equal rank are told apart by "+
			"the share of their memory and processors that is taken; services are spread, never gathered",
			"placement-strategy")
	}
	p.tell(unneeded, "the default", "placement-strategy")
	t.switches()
}

func (t *translation) stonithProperties() {
	p := t.properties
	if on, _ := importing.Truth(p.get("stonith-enabled")); p.has("stonith-enabled") && !on {
		p.tell(changes, "what a lost node ran was started elsewhere on the mere guess that it was off. Here it is "+
			"started when the node is known to be off, never before: give every node a fence device", "stonith-enabled")
	}
	p.tell(unneeded, "a lost node is fenced, always", "stonith-enabled")
	p.tell(changes, "a fenced machine is switched off, proven off, and stays off", "stonith-action")
}

// switches are properties that put everything on or off.
func (t *translation) switches() {
	p := t.properties
	if on, _ := importing.Truth(p.get("maintenance-mode")); on {
		p.tell(changes, "there is no switch for all: every service is declared with autostart: false (see the advice)",
			"maintenance-mode")
	}
	p.tell(unneeded, "not set", "maintenance-mode")
	if stopped, _ := importing.Truth(p.get("stop-all-resources")); stopped {
		for _, name := range t.order {
			t.draft.Services.Mapping(name).Set("autostart", false)
		}
		p.tell(changes, "autostart: false for every service; each stays down until it is enabled", "stop-all-resources")
	}
	p.tell(unneeded, "not set", "stop-all-resources")
	if symmetric, ok := importing.Truth(p.get("symmetric-cluster")); ok && !symmetric && p.has("symmetric-cluster") {
		p.tell(translated, "every domain is restricted to the nodes that were named", "symmetric-cluster")
	}
	p.tell(unneeded, "every node may run what no rule forbids", "symmetric-cluster")
	p.tell(changes, "nofailback of the domains where it is stronger than the scores of the nodes",
		"default-resource-stickiness")
	if t.unmanagedByDefault() {
		p.tell(changes, "whatever does not say is-managed itself is declared with autostart: false (see the advice)",
			"is-managed-default")
	}
	p.tell(unneeded, "the default", "is-managed-default")
}

// twoNodes lets one of two nodes go on alone, as two nodes of Pacemaker did by
// corosync's two_node. The node whose shot was delayed is the favoured one.
func (t *translation) twoNodes() {
	if len(t.nodes) != 2 {
		return
	}
	favour, wait := "", time.Duration(0)
	for _, n := range t.nodes {
		for _, id := range t.usable(n.name) {
			for _, name := range []string{"pcmk_delay_base", "pcmk_delay_max"} {
				if delay, err := importing.ReadSpan(t.devices[id].params.get(name)); err == nil && delay > wait {
					favour, wait = n.name, delay
				}
			}
		}
	}
	if t.draft.GoOnAlone(favour, wait) {
		t.Advise("two_node is written (%s), as corosync.conf had it for two nodes: one goes on alone after the other is "+
			"confirmed off. Better is a witness, a small machine with clusterd and `witness: true` in its "+
			"/etc/clusterd/node.yaml; take two_node out then.", t.draft.TwoNode.Words())
		return
	}
	t.Advise("Two nodes need a third vote to survive the loss of either, or a fence device each and two_node: a " +
		"witness is a small machine with clusterd and `witness: true` in its /etc/clusterd/node.yaml.")
}

// used remembers what a default of operations became.
func (t *translation) used(name, became string) {
	if !slices.Contains(t.opUses[name], became) {
		t.opUses[name] = append(t.opUses[name], became)
	}
}

// tellOpDefaults speaks of op_defaults once it is known what they became.
func (t *translation) tellOpDefaults() {
	d := t.opDefaults
	for _, name := range []string{"timeout", "on-fail"} {
		became := strings.Join(t.opUses[name], ", ")
		switch value := d.get(name); {
		case became == "" && name == "on-fail" && value != "" && value != "restart":
			d.tell(cannot, "there is no such answer to a failure; services are recovered", name)
		case became == "":
			d.tell(unneeded, "every operation says its own, or it is the rule here too", name)
		case name == "on-fail":
			d.tell(changes, became+" of whatever does not say otherwise. It was meant for every failure, and is kept for "+
				"those that this "+
				"names; after any other the service is recovered", name)
		default:
			d.tell(translated, became+" of whatever does not say its own", name)
		}
	}
	if on, ok := importing.Truth(d.get("enabled")); d.has("enabled") && ok && !on {
		d.tell(translated, "no check by the clock but those that say otherwise", "enabled")
	}
	d.tell(unneeded, "nothing to set", "enabled", "record-pending", "interval")
	d.tellAll(cannot, noSetting)
}
