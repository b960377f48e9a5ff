package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// presence says when a metric is there.
type presence string

const (
	// always: it is about this node, and true whatever it is cut off from.
	always presence = "always"
	// current: it is about the cluster, and there while this node's State is the newest.
	current presence = "State is current"
	// planning: only who leads knows it.
	planning presence = "on the leader"
)

// family is one metric as it is scraped, and as the operators' page tells of it.
type family struct {
	name, kind, help string
	when             presence
	labels           []string
	desc             *prometheus.Desc
}

const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

// families are all there are, in the order in which they are declared.
var families []*family

// declare adds a metric; its name is without the clusterd_ of all.
func declare(kind string, when presence, name, help string, labels ...string) *family {
	f := &family{name: "clusterd_" + name, kind: kind, when: when, help: help, labels: labels}
	f.desc = prometheus.NewDesc(f.name, f.help, labels, nil)
	families = append(families, f)
	return f
}

// What this node knows of itself.
var (
	buildInfo = declare(gauge, always, "build_info", "Always 1. Which build runs on which node of which cluster.",
		"version", "node", "cluster")
	hasQuorum = declare(gauge, always, "has_quorum",
		"1 where this node is in touch with a leader that has a quorum, 0 where it is not.")
	stateCurrent = declare(gauge, always, "state_current",
		"1 where this node has applied what its leader has, 0 where it lags or knows of no leader. "+
			"What is known of the cluster is left out while this is 0.")
	leading       = declare(gauge, always, "leading", "1 on the node that plans, 0 on the others.")
	leaderChanges = declare(counter, always, "leader_changes_total",
		"How often another leader was met since this daemon started.")
	logTerm     = declare(gauge, always, "log_term", "The term of the log; each election begins a new one.")
	logApplied  = declare(gauge, always, "log_applied_index", "The index of the newest entry that was applied here.")
	logLast     = declare(gauge, always, "log_last_index", "The index of the newest entry that this node's log holds.")
	logWritable = declare(gauge, always, "log_volume_writable", "1 where the volume of the log can be written to.")
	proposals   = declare(histogram, always, "proposal_seconds",
		"From the proposal of an entry by this node until it was committed and applied here.")
	proposalsLost = declare(counter, always, "proposals_failed_total",
		"Proposals of this node of which it is not known that they were committed.")
	nodeHeard = declare(gauge, always, "node_last_heard_seconds",
		"How long ago this node heard another one's heartbeat; left out for one that it never heard.", "node")
	deviceAge = declare(gauge, always, "fence_device_answer_age_seconds",
		"How long ago this node last asked a fence device that it may have to use.", "device")
	deviceFaulty = declare(gauge, always, "fence_device_faulty",
		"1 where that device did not answer this node as it should.", "device")
	warnings = declare(gauge, always, "warnings", "How many warnings clustat shows of this node itself.")
)

// What is known of the cluster.
var (
	generation = declare(gauge, current, "generation",
		"The number of the cluster's life: recovery from the loss of a quorum raises it.")
	clusterVersion  = declare(gauge, current, "cluster_version", "The number of the rules in force.")
	documentVersion = declare(gauge, current, "document_version", "The version of the document in force.")
	nodes           = declare(gauge, current, "nodes", "Nodes by state, as clustat has it.", "state")
	nodeOnline      = declare(gauge, current, "node_online",
		"1 for a node that is in touch with the cluster, 0 for one that is not; left out for one that is away on purpose: "+
			"it left, or is in maintenance.", "node")
	nodeProtected = declare(gauge, current, "node_protected",
		"1 for a node that could be fenced right now. The VMs of another one would not be recovered. Witnesses and nodes "+
			"that left are left out.", "node")
	nodeServices = declare(gauge, current, "node_services", "Services by the node that they belong to.", "node")
	nodeOrders   = declare(gauge, current, "node_orders", "Nodes under an order, by order.", "order")
	versions     = declare(gauge, current, "node_versions", "Nodes by the version of their clusterd.", "version")
	services     = declare(gauge, current, "services", "Services by state, as clustat has it.", "state")
	unprotected  = declare(gauge, current, "services_unprotected",
		"Services on nodes that could not be fenced right now.")
	frozen        = declare(gauge, current, "services_frozen", "Services that are left alone until they are thawed.")
	serviceFailed = declare(gauge, current, "service_failed",
		"1 for each service that failed; at most 32 of them, services{state=\"failed\"} counts all.", "service")
	fencesOpen = declare(gauge, current, "fences_open", "Nodes that are being fenced.")
	disarmed   = declare(gauge, current, "fencing_disarmed", "1 while nothing is fenced because somebody said so.")
	locked     = declare(gauge, current, "locked", "1 while no service may start because somebody said so.")
	tombstones = declare(gauge, current, "tombstones", "Services taken out of the document that may still run somewhere.")
	alertTold  = declare(counter, current, "alert_events_total",
		"Events by what became of them: sent, failed after the last attempt, or dropped because too many waited.",
		"alert", "result")
	alertFailing = declare(gauge, current, "alert_failing", "1 where an alert did not get its last event.", "alert")
	notes        = declare(gauge, planning, "notes",
		"What is not done for now, by the code of the reason; at most 40 codes, the rest as other.", "code")
)

// What happened since this daemon started, counted on each node when it was applied there.
var (
	nodeTurns = declare(counter, always, "node_transitions_total",
		"Changes of the state of nodes, by the state that was reached.", "to")
	serviceTurns = declare(counter, always, "service_transitions_total",
		"Changes of the state of services, by the state that was reached.", "to")
	fences = declare(counter, always, "fences_total",
		"Fence intents that were closed, by how; a drill is one too.", "ending", "drill")
	fenceTook = declare(histogram, always, "fence_seconds",
		"From a fence intent to its proof, without drills.")
	failoverTook = declare(histogram, always, "failover_seconds",
		"From the last sign of life of a lost node until a service that it had runs elsewhere.")
	failoverPhase = declare(histogram, always, "failover_phase_seconds",
		"The same by phase: detection, fencing, waiting for the start, start.", "phase")
	migrations    = declare(counter, always, "migrations_total", "Live migrations by how they ended.", "result")
	migrationTook = declare(histogram, always, "migration_seconds",
		"How long live migrations took that arrived, by the hypervisor's word.")
	downtime = declare(histogram, always, "migration_downtime_seconds",
		"How long guests stood still in them, by the hypervisor's word.")
)

// Buckets of the histograms, in seconds.
var buckets = map[*family][]float64{
	proposals:     {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	fenceTook:     {.25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900},
	failoverTook:  {.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 900},
	failoverPhase: {.1, .25, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300},
	migrationTook: {.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600},
	downtime:      {.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
}

// Page is the table of all metrics for operators, in Markdown.
func Page() string {
	var out strings.Builder
	out.WriteString("| metric | labels | kind | there | what it tells |\n|---|---|---|---|---|\n")
	for _, f := range families {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", f.name, strings.Join(f.labels, ", "), f.kind, f.when, f.help)
	}
	return out.String()
}

// Names are those of all metrics of clusterd's own.
func Names() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	return names
}
