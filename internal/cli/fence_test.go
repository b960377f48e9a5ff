package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// fences is a status with all that can be told of fencing.
func fences() api.FenceStatus {
	record := cluster.FenceRecord{Node: "node1", Boot: "b", Index: 40, At: at("09:00:00.000"), Ended: at("09:00:04.312"),
		Why: message.Words("a drill"), By: "schedule", Drill: true,
		Ending: cluster.EndedConfirmed, Fencer: "node2", Devices: []string{"bmc1"}, Attempts: 1,
		Evidence: message.Words("bmc1: off command accepted; off read twice, 301 ms apart")}
	return api.FenceStatus{
		At: at("10:15:30.000"),
		Disarmed: &cluster.Disarmed{Since: at("10:10:00.000"), Until: at("10:40:00.000"), By: "root",
			Why: "switch 3 is replaced"},
		Drill: &cluster.Drill{Node: "node1", Level: 1, By: "root", Phase: cluster.DrillOn, PhaseAt: at("10:15:00.000")},
		Nodes: []api.FenceNode{
			{Node: "node1", State: "online", LastUse: &record, LastDrill: &cluster.Drill{Node: "node1", At: at("09:00:00.000"),
				OK: true}, Devices: []api.FenceDevice{
				{Name: "bmc1", Driver: "ipmi", Address: "10.0.1.101", Power: "on", Checked: at("10:15:18.000"), By: "node2",
					Checks: []api.FenceCheck{
						{By: "node2", Power: "on", Asked: at("10:15:18.000")}, {By: "node3", Power: "on", Asked: at("10:12:00.000"),
							OldLogin: true}}},
				{Name: "pdu1a", Level: 1, Driver: "agent", Address: "pdu1.example", Power: "on", Checks: []api.FenceCheck{
					{By: "node2", Power: "unknown", Problem: "no answer within 10s", Asked: at("10:15:18.000")},
					{By: "node3", Power: "on", Changed: at("08:12:00.000")}}},
			}},
			{Node: "node2", State: "fencing", Unprotected: "fence device bmc2: the login is refused", Devices: []api.FenceDevice{
				{Name: "bmc2", Driver: "redfish", Address: "10.0.1.102", Power: "unknown", Problem: "the login is refused",
					Checks: []api.FenceCheck{{By: "node1", Problem: "the login is refused", Asked: at("10:15:29.000")}}}},
				Open: &cluster.Fence{Node: "node2", At: at("10:14:00.000"),
					Why: message.Words("silent for 1s to everybody"), TriedTotal: 3,
					LastWhy: message.Words("bmc2: the login is refused")}},
			{Node: "node3", State: "online", Unprotected: "no fence device is configured for node3",
				Devices: []api.FenceDevice{}},
		},
	}
}

func TestFenceStatus(t *testing.T) {
	text := FenceStatus(fences(), 80)
	golden(t, "fence-status.txt", text)
	golden(t, "fence-list.txt", FenceList(fences()))
	calm := fences()
	calm.Disarmed, calm.Drill = nil, nil
	if text := FenceStatus(calm, 80); strings.Contains(text, "DISARMED") || strings.Contains(text, "Drill of") {
		t.Errorf("a calm status tells of what is not:\n%s", text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
}

func TestFenceHistory(t *testing.T) {
	records := []cluster.FenceRecord{*fences().Nodes[0].LastUse, {Node: "node2", Index: 50, At: at("10:00:00.000"),
		Ended: at("10:02:05.000"),
		Why: message.Words("silent for 1s to everybody (node1: kernel silent, daemon silent; " +
			"node3: kernel silent, daemon silent)"),
		By: "", Ending: cluster.EndedByWord,
		Fencer: "node3", Level: 1, Devices: []string{"pdu2a", "pdu2b"}, Attempts: 12,
		Evidence: message.FenceConfirmedByHand.With("root", "I pulled its plug"),
		Tried:    []fence.Attempt{{Fencer: "node3", Level: 1, Outcome: fence.Unknown}}}}
	golden(t, "fence-history.txt", FenceHistory(api.FenceHistory{Records: records}, 80))
	if text := FenceHistory(api.FenceHistory{}, 80); text != "No node has been fenced.\n" {
		t.Errorf("an empty history is told as %q", text)
	}
}

func TestDeclaredDevicesAreListedByLevel(t *testing.T) {
	declared := FenceDeclared(fences())
	if len(declared) != 3 || len(declared[0].Levels) != 2 || declared[0].Levels[1][0].Name != "pdu1a" ||
		len(declared[2].Levels) != 0 {
		t.Errorf("declared are %+v", declared)
	}
}
