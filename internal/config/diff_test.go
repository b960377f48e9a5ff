package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/config/rewrite"
)

func TestDiffTellsInWords(t *testing.T) {
	before := parse(t, alpha(t)).Document
	edited := string(alpha(t))
	for _, change := range [][2]string{
		{"timing: fast", "timing: normal"},
		{"site: rack-b", "site: rack-c"},
		{"first: secret", "new secret"},
		{"{node1: 1, node2: 2}", "{node1: 2, node2: 1}"},
		{"  witness1:\n", ""},
		{"<name>web</name>", "<name>web</name><title>Web</title>"},
		{"stop_timeout: 90s", "stop_timeout: 3m"},
		{"autostart: false", "autostart: true"},
	} {
		if !strings.Contains(edited, change[0]) {
			t.Fatalf("%q is not in the document", change[0])
		}
		edited = strings.Replace(edited, change[0], change[1], 1)
	}
	after := parse(t, []byte(edited+vm("new", uuidA, ""))).Document
	got := strings.Join(Diff(before, after), "\n")
	web, webAfter := short(before.Services["vm:web"].Definition), short(after.Services["vm:web"].Definition)
	want := strings.Join([]string{
		"timing: the profile changes from fast to normal",
		"node node2: site changes from rack-b to rack-c",
		"node witness1: is removed; it stays a member (clusterd node remove ends that), and can no longer be fenced",
		"device bmc1: the password changes",
		"domain prefer-node1: members changes from node1=1 node2=2 to node1=2 node2=1 (services move only where the " +
			"domain's rules now ask for it)",
		"service vm:db: autostart changes from false to true",
		"service vm:new: is added; it is started once every node has said that it does not run there",
		"service vm:web: the definition changes from " + web + " to " + webAfter + "; a running VM is not restarted, " +
			"the new definition counts from its next start",
		"service vm:web: stop_timeout changes from 1m30s to 3m0s",
	}, "\n")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestDiffIsEmptyForAnotherSpelling(t *testing.T) {
	before := parse(t, alpha(t)).Document
	edited := strings.Replace(string(alpha(t)), "    recovery: restart\n",
		"    recovery: \"restart\"  # the default\n    start_timeout: 60s\n", 1)
	if changes := Diff(before, parse(t, []byte(edited)).Document); len(changes) > 0 {
		t.Errorf("writing a default out changes something: %q", changes)
	}
}

func TestPrintMasksPasswords(t *testing.T) {
	printed := Print(parse(t, alpha(t)).Document)
	if strings.Contains(printed, "secret") || strings.Count(printed, rewrite.Mask) != 2 {
		t.Errorf("printed:\n%s", printed)
	}
	for _, line := range []string{
		"cluster alpha, timing fast\n",
		"node node1, site rack-a, fenced by [bmc1]\n",
		"node witness1, without a fence device: its services cannot be recovered when it is lost\n",
		"device bmc1, ipmi at 10.97.0.101, user admin, password ********, cipher=3\n",
		"domain prefer-node1, ordered true, restricted false, nofailback false: node1=1 node2=2\n",
		"  start 1m0s, stop 1m30s, destroy 30s, migrate 10m0s\n",
		"  disks file:/srv/cluster/db.img block:/dev/disk/by-id/scsi-1 (shared)\n",
	} {
		if !strings.Contains(printed, line) {
			t.Errorf("%q is not in:\n%s", line, printed)
		}
	}
}
