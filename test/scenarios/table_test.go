package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shown is where what administrators of rgmanager had, or missed, is told as a
// story, or held by a test where no story can tell it.
type shown struct {
	what string
	// by are paths from the repository's root; a bare fear/story is a story here.
	by []string
}

// features are rgmanager's, each with what has to be at least as good.
var features = []shown{
	{"enable, disable, stop, restart, relocate; dry run and reason",
		[]string{"operator/stop-and-freeze", "domains/enable-on-a-named-node", "operator/relocate-to-an-offline-node",
			"rules/what-would-happen", "cmd/clusvcadm/testdata/operations.txt", "cmd/clusvcadm/testdata/dry-runs.txt"}},
	{"live migration: an alive VM is never called failed, a second copy is found",
		[]string{"migration/asked-for", "migration/fails-and-the-guest-stays", "restart/found-running-twice"}},
	{"how a migration goes: paused handover, bandwidth, downtime",
		[]string{"migration/both-ends-die", "agents/vm/migrate_test.go"}},
	{"freeze and its end", []string{"operator/stop-and-freeze", "operator/freeze-ends-by-itself"}},
	{"the lock of the whole cluster", []string{"operator/locked", "rules/cluster-stops-and-starts",
		"cmd/clusvcadm/testdata/lock.txt"}},
	{"partial services and convalescence", []string{"restart/partial-and-convalesced"}},
	{"status: plain, long, XML, JSON, exit codes",
		[]string{"cmd/clustat/testdata/status-80.txt", "cmd/clustat/testdata/status-160.txt",
			"cmd/clustat/testdata/status-long.txt", "cmd/clustat/testdata/status-xml.txt",
			"cmd/clustat/testdata/status-json.txt", "cmd/clustat/testdata/exit-codes.txt"}},
	{"failover domains, and why a service is where it is",
		[]string{"domains/order-is-followed", "domains/nofailback-stays", "domains/restricted-domain-has-no-node-left",
			"cmd/clustat/testdata/why.txt"}},
	{"exclusive services, and keeping apart", []string{"rules/exclusive-keeps-its-node", "rules/apart-stays-apart"}},
	{"dependencies, hard and soft", []string{"rules/hard-dependency-goes-down-and-comes-up",
		"rules/soft-dependency-is-for-the-start", "rules/drain-takes-dependents-down-first"}},
	{"programs that hear of events", []string{"internal/alerts/runner_test.go", "cluster/alert_test.go"}},
	{"recovery policies", []string{"restart/guest-crashes", "restart/recovery-is-relocate",
		"restart/recovery-is-disable"}},
	{"restarts counted for the whole cluster, and forgotten after a while",
		[]string{"restart/too-many-crashes", "quorum/total-outage-forgets-nothing"}},
	{"independent and non-critical parts", []string{"restart/part-of-a-service-fails", "restart/partial-and-convalesced",
		"services/mended-in-place"}},
	{"time limits on everything", []string{"restart/killed-in-the-middle-of-a-stop",
		"agents/ocf/program/program_test.go"}},
	{"resources shared by reference", []string{"internal/config/tree_test.go", "agents/ocf/agent_test.go"}},
	{"changes of the configuration while all runs, shown beforehand",
		[]string{"operator/document-changes-during-a-migration", "operator/two-people-change-the-document",
			"internal/cli/testdata/plan.txt"}},
	{"both dialects of resource agents", []string{"agents/ocf/dialect/dialect_test.go"}},
	{"fencing by power, in parallel, within limits",
		[]string{"fencing/follower-host-loses-power", "fencing/several-at-once", "fencing/dead-bmc-delays-nobody-else"}},
	{"two power supplies, and admission", []string{"test/demo/losses.go", "fence/fence_test.go"}},
	{"fencing by reservations", []string{"fencing/storage-cuts-off-a-frozen-host", "fencing/own-keys-are-gone"}},
	{"a person's word that a machine is off, on record",
		[]string{"fencing/operator-answers-for-it", "fencing/word-that-is-not-taken"}},
	{"two nodes, and a third opinion", []string{"quorum/two-nodes-lose-each-other", "quorum/two-nodes-and-a-witness"}},
	{"a state that outlives everything", []string{"quorum/total-outage-forgets-nothing"}},
	{"what follows a stop that failed", []string{"restart/stop-failed-and-the-policy-is-fence",
		"restart/stop-failed-then-the-node-is-fenced", "restart/stop-failed-and-the-hypervisor-is-dead"}},
	{"who may do what, and who did it",
		[]string{"internal/server/routes_test.go", "internal/daemon/server_test.go", "operator/the-same-request-twice"}},
	{"many nodes", []string{"test/bench/fence.go"}},
	{"configuration checked, distributed, taken back",
		[]string{"internal/config/document_test.go", "operator/restored-from-a-backup"}},
	{"a rehearsal without a cluster", []string{"rules/what-would-happen", "internal/rehearsal/paper_test.go",
		"cluster/rehearse_test.go"}},
	{"notifications", []string{"internal/daemon/stream_test.go", "internal/daemon/alerts_test.go"}},
}

// pains are what hurt users of rgmanager, each with a better ending.
var pains = []shown{
	{"a failed stop freezes the service, even after the node was fenced",
		[]string{"restart/stop-failed-then-the-node-is-fenced", "restart/stop-failed-then-disabled-again"}},
	{"a hung agent blocks a service for ever", []string{"restart/killed-in-the-middle-of-a-stop",
		"agents/ocf/program/program_test.go"}},
	{"an error of a migration marks the service failed",
		[]string{"migration/fails-and-the-guest-stays", "migration/last-reply-lost"}},
	{"libvirtd stops, and its VMs are recovered",
		[]string{"restart/libvirtd-restarts", "restart/libvirtd-dead-is-unknown", "migration/libvirtd-dies-at-the-source"}},
	{"a VM started by hand runs twice, and nobody sees it",
		[]string{"restart/started-by-hand-elsewhere", "restart/found-running-twice", "services/found-running-twice"}},
	{"the start of the manager stops what runs", []string{"restart/daemon-restart-touches-nothing",
		"operator/adopts-what-runs", "services/daemon-restart-touches-nothing"}},
	{"relocate and migrate are mixed up", []string{"migration/relocate-stops-migrate-does-not"}},
	{"a relocation to a node that may not run it bounces the service",
		[]string{"migration/refused-before-anything-happens", "operator/relocate-to-an-offline-node",
			"operator/relocate-with-no-other-node"}},
	{"fencing one after the other, for ever, at boards without power",
		[]string{"fencing/dead-bmc-delays-nobody-else", "fencing/bmc-dead-then-back", "fencing/operator-answers-for-it"}},
	{"two nodes shoot each other",
		[]string{"quorum/two-nodes-lose-each-other", "quorum/two-nodes-lost-one-shot-at-a-time"}},
	{"a soft power-off defeats fencing", []string{"fence/power/faults_test.go", "fencing/bmc-refuses"}},
	{"a power cycle that only says it worked",
		[]string{"fencing/answer-of-the-bmc-is-lost", "fence/power/faults_test.go"}},
	{"a loss is seen late", []string{"fencing/follower-host-loses-power", "fencing/leader-host-loses-power",
		"restart/host-boots-faster-than-it-is-missed"}},
	{"the loss of a path to storage shoots nodes",
		[]string{"fencing/storage-is-gone-everywhere", "restart/paused-by-an-io-error"}},
	{"a node that should fence itself does not",
		[]string{"fencing/only-a-watchdog", "fencing/watchdog-that-cannot-be-armed", "fencing/message-on-the-disk"}},
	{"a change of the configuration restarts or blocks dependents",
		[]string{"operator/document-changes-during-a-migration", "rules/nothing-is-stopped-that-could-not-come-back",
			"rules/dependency-crashes"}},
	{"checks that are slow because of the network", []string{"agents/ocf/checks_test.go"}},
	{"what was disabled or failed comes back after a total outage", []string{"quorum/total-outage-forgets-nothing"}},
	{"no keeping apart, no spreading of load", []string{"rules/apart-stays-apart", "domains/lost-node-spreads-its-load"}},
	{"a lock manager of its own beside the cluster",
		[]string{"quorum/leader-is-cut-off", "quorum/no-majority-nothing-is-done"}},
	{"state that is copied to all by all", []string{"quorum/cut-off-follower-starts-nothing"}},
	{"only root may do anything", []string{"internal/server/routes_test.go"}},
}

// TestWhatAdministratorsKnewIsShown keeps the table and the stories together.
func TestWhatAdministratorsKnewIsShown(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, row := range append(append([]shown{}, features...), pains...) {
		if len(row.by) == 0 {
			t.Errorf("nothing shows: %s", row.what)
		}
		for _, by := range row.by {
			path := filepath.Join(root, by)
			if filepath.Ext(by) == "" {
				path = filepath.Join(root, "test", "scenarios", by+".txt")
			}
			text, err := os.ReadFile(path)
			if err != nil || strings.TrimSpace(string(text)) == "" {
				t.Errorf("%s is said to be shown by %s: %v", row.what, by, err)
			}
		}
	}
}
