package cli

import (
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the difference before you commit it")

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func at(clock string) time.Time {
	instant, err := time.Parse("2006-01-02 15:04:05.000", "2026-11-22 "+clock)
	if err != nil {
		panic(err)
	}
	return instant
}

// alpha is a cluster in the middle of a bad night.
func alpha() api.Status {
	return api.Status{
		Cluster: "alpha", ID: "c0ffee", Generation: 2, At: at("10:15:04.000"), Quorate: true, Leader: "node1", Local: "node1",
		Nodes: []api.Node{
			{Name: "node1", ID: 1, State: "online", Online: true, Local: true, Leader: true, Voter: true},
			{Name: "node2", ID: 2, State: "lost", Voter: true, Unprotected: "the document names no fence device for it"},
			{Name: "node3.rack-b.site-two.example.com.of.a.very.long.name", ID: 3, State: "looking", Online: true},
			{Name: "vote1", ID: 4, State: "online", Online: true, Voter: true, Witness: true,
				Order: &api.NodeOrder{Order: "standby"}},
			{Name: "node5", ID: 5, State: "online", Online: true, Unprotected: "its BMC 10.0.0.5 does not answer",
				Order: &api.NodeOrder{Order: "drain", Holds: []string{"vm:a", "vm:b"}}},
			{Name: "node6", ID: 6, State: "left"},
			{Name: "node7", ID: 7, State: "silent", Online: true, Estranged: true},
		},
		Services: []api.Service{
			{Name: "vm:web", State: 112, StateText: "started", Owner: "node1", Since: at("10:01:44.000"),
				Holders: []string{"node1"}},
			{Name: "vm:db", State: 114, StateText: "failed", Owner: "node2", LastOwner: "node2", Since: at("10:02:00.000"),
				Restarts: 2,
				Holders:  []string{"node2"},
				Reason: message.Words("the stop on node2 was not confirmed: the hypervisor did not answer within 2m0s, so " +
					"it may still " +
					"be running there"),
				Unprotected: "the document names no fence device for node2"},
			{Name: "vm:mail", State: 112, StateText: "started", Flags: 1, FlagsText: "Z", Owner: "node1",
				Since: at("09:00:00.000"), Holders: []string{"node1"},
				Freeze: &api.FreezeStatus{At: at("09:30:00.000"), By: "root", Reason: "resizing its disk",
					Until: at("11:30:00.000")}},
			{Name: "vm:new", State: 119, StateText: "disabled", Since: at("09:00:00.000"),
				Failures: []api.Failed{{Node: "node1", Why: message.Words("libvirt: no space left on device"),
					At: at("08:59:00.000")}}},
			{Name: "vm:moving", State: 120, StateText: "migrating", Owner: "node1", Since: at("10:15:00.000"),
				Holders: []string{"node1", "vote1"},
				Progress: &api.Progress{Phase: "memory", BytesTotal: 1 << 30, BytesRemaining: 1 << 29, BytesPerSecond: 100 << 20,
					TimeLeft: 5 * time.Second}},
		},
		Notes: []cluster.Note{
			{Subject: "vm:db", Why: message.Words("is not recovered: node2 is lost and cannot be fenced, because the " +
				"document names no " +
				"fence device for it"),
				Next: message.Words("Make sure that node2 is off, then: clusterd fence confirm node2")},
		},
		Warnings: []string{"the log volume is 91 % full"},
		Lock:     &api.LockStatus{Locked: true, At: at("10:14:00.000"), By: "root", Reason: "the storage is being looked at"},
	}
}

func TestStatus(t *testing.T) {
	golden(t, "status.txt", Status(alpha(), View{Width: 80}))
	golden(t, "status-wide.txt", Status(alpha(), View{Width: 132}))
	golden(t, "status-long.txt", Status(alpha(), View{Width: 80, Long: true}))
	golden(t, "status-node.txt", Status(alpha(), View{Width: 80, Node: "node2"}))
	golden(t, "status-service.txt", Status(alpha(), View{Width: 80, Service: "vm:mail"}))
}

func TestStatusWithoutQuorumAndSimulated(t *testing.T) {
	status := alpha()
	status.Quorate, status.Simulated, status.Notes, status.Warnings = false, true, nil, nil
	status.Nodes, status.Services = status.Nodes[:1], status.Services[:1]
	golden(t, "status-inquorate.txt", Status(status, View{Width: 80, Remark: "The leader could not be asked."}))
}

func TestStatusFitsInto80Columns(t *testing.T) {
	for _, view := range []View{{Terminal: true}, {Terminal: true, Long: true}, {Classic: true},
		{Classic: true, Long: true}} {
		view.Width = 80
		for line := range strings.SplitSeq(Status(alpha(), view), "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
			}
		}
	}
}

// TestWhatWasOrderedAndUnprotectedStandWithTheMember: a row without room for them drops neither.
func TestWhatWasOrderedAndUnprotectedStandWithTheMember(t *testing.T) {
	status := api.Status{Quorate: true, Nodes: []api.Node{{Name: "node5.rack-b.site-two.example.com", ID: 5,
		State: "online", Online: true, Leader: true, Local: true, Unprotected: "its BMC does not answer",
		Order: &api.NodeOrder{Order: "drain", Holds: []string{"vm:a", "vm:b"}}}}}
	const flags = "Online, Local, rgmanager, Leader"
	indent := strings.Repeat(" ", 40)
	for _, c := range []struct {
		view View
		want string
	}{
		{View{Terminal: true}, flags + ",\n" + indent + "drain (2 left), unprotected\n"},
		{View{}, flags + ", drain (2 left), unprotected\n"},
		{View{Classic: true}, flags + "\n"},
	} {
		c.view.Width = 80
		if got := memberTable(status, c.view); !strings.HasSuffix(got, " "+c.want) {
			t.Errorf("%+v:\n%s", c.view, got)
		}
	}
}

func TestStatusXML(t *testing.T) {
	status := alpha()
	status.Cluster = `a"<b>&c`
	text := StatusXML(status, View{})
	golden(t, "status.xml", text)
	var read struct {
		Cluster struct {
			Name string `xml:"name,attr"`
		} `xml:"cluster"`
		Nodes  []struct{} `xml:"nodes>node"`
		Groups []struct {
			Name  string `xml:"name,attr"`
			Owner string `xml:"owner,attr"`
		} `xml:"groups>group"`
	}
	if err := xml.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	if read.Cluster.Name != status.Cluster || len(read.Nodes) != 7 || len(read.Groups) != 5 ||
		read.Groups[3].Owner != "none" {
		t.Errorf("read back %+v", read)
	}
}

// night is the story of one failover and one migration.
func night() []cluster.Event {
	return []cluster.Event{
		{Index: 7, At: at("09:15:04.123"), Subject: "node2", From: "online", To: "lost",
			Why: message.Words("its kernel is silent to node1 and node3 on every network"), By: "liveness"},
		{Index: 7, Ordinal: 1, At: at("09:15:04.123"), Node: "node2", Subject: "vm:web", From: "started", To: "recovering",
			Why: message.Words("node2 is lost"), Cause: 7},
		{Index: 9, At: at("09:15:04.641"), Subject: "node2", From: "lost", To: "fenced",
			Why: message.Words("bmc2 took the off command and then read off twice, 312 ms apart"), Phases: []cluster.Phase{
				{What: "last heard", At: at("09:15:03.160")},
				{What: "lost", At: at("09:15:04.120")},
				{What: "fence sent", At: at("09:15:04.125")},
				{What: "off confirmed", At: at("09:15:04.640"), Took: 515 * time.Millisecond},
			}},
		{Index: 12, At: at("23:59:59.999"), Node: "node3", Subject: "vm:web", To: "started",
			Why: message.Words("the hypervisor says that it runs")},
		{Index: 15, At: at("23:59:59.999").Add(time.Second), Node: "node2", Subject: "vm:web-with-a-name-longer-than-usual",
			Why: message.Words("migrated live from node3"), By: "root on node1",
			Phases: []cluster.Phase{{What: "total", Took: 1234 * time.Millisecond}, {What: "downtime", Took: 61 * time.Second}}},
		{Index: 16, At: at("23:59:59.999").Add(time.Second), Subject: "evil\x1b[2J",
			Why: message.Words("control\ncharacters \x07 are not obeyed")},
	}
}

func TestTimeline(t *testing.T) {
	golden(t, "timeline-80.txt", Timeline(night(), 80))
	golden(t, "timeline-140.txt", Timeline(night(), 140))
	if got := Timeline(nil, 80); got != "" {
		t.Errorf("no events are %q", got)
	}
}

func TestTimelineInPiecesIsTheTimeline(t *testing.T) {
	events := night()[:4]
	whole := Timeline(events, 80)
	// The first piece must know the widest name: what is written stays as it is.
	for cut := 2; cut < len(events); cut++ {
		if pieces := Timeline(events[:cut], 80) + TimelineAfter(events[:cut], events[cut:], 80); pieces != whole {
			t.Errorf("cut after %d events:\n%s\nwant:\n%s", cut, pieces, whole)
		}
	}
	unchanged := cluster.Event{At: at("09:00:00.000"), Subject: "vm:web", Node: "node1", From: "started", To: "started",
		Why: message.Words("asked to stop")}
	if got := Timeline([]cluster.Event{unchanged}, 80); got != "Sun Nov 22 2026\n09:00:00.000  vm:web  started on "+
		"node1: asked to stop\n" {
		t.Errorf("an event without a change: %q", got)
	}
}

func TestSpanAndBytes(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 ms", -100 * time.Microsecond: "0 ms",
		999600 * time.Microsecond: "1.000 s", 960 * time.Millisecond: "960 ms", 1234 * time.Millisecond: "1.234 s",
		150 * time.Second: "2m 30s", -5 * time.Millisecond: "-5 ms", 3 * time.Hour: "180m 00s"} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	for count, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 30: "1.0 GiB"} {
		if got := Bytes(count); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", count, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for code, want := range map[int]int{0: 0, -1: 255, -2: 254, -10: 0, -19: 237, -20: 236, -21: 235, 1: 1, -256: 255,
		256: 255, -512: 255} {
		if got := ExitCode(code); got != want {
			t.Errorf("ExitCode(%d) = %d, want %d", code, got, want)
		}
	}
	if CodeText(-99) != "Failure" || CodeText(99) != "Failure" {
		t.Error("a code that nobody knows is not called a failure")
	}
}

func TestHints(t *testing.T) {
	status := alpha()
	for name, want := range map[string]string{
		"service:web": " Did you mean 'vm:web'?",
		"service:wbe": " Did you mean 'vm:web'?",
		"vm:dd":       " Did you mean 'vm:db'?",
		"vm:zzzzzzzz": "",
	} {
		if got := ServiceHint(status, name); got != want {
			t.Errorf("ServiceHint(%q) = %q, want %q", name, got, want)
		}
	}
	if got := NodeHint(status, "vote"); got != " Did you mean 'vote1'?" {
		t.Errorf("NodeHint = %q", got)
	}
}

// TestHowFullNodesAre: the long form shows it of the nodes that have told, and the candidate table
// says of the others that it is not known.
func TestHowFullNodesAre(t *testing.T) {
	const gib = 1 << 30
	status := alpha()
	status.Nodes[0].Capacity = &api.Capacity{Memory: 32 * gib, Reserved: gib, Limit: 31 * gib, Used: 19 * gib,
		Free: 12 * gib, CPUs: 16, CPUsUsed: 40}
	status.Nodes[4].Capacity = &api.Capacity{Memory: 64 * gib, Limit: 128 * gib, Used: 130 * gib, Huge: 16 * gib,
		HugeUsed: 8 * gib, CPUs: 16, CPUsUsed: 40, CPULimit: 64}
	golden(t, "capacity.txt", capacityTable(status, View{Width: 80})+
		capacityTable(status, View{Width: 80, Node: "node5", Terminal: true}))
	if text := capacityTable(alpha(), View{Width: 80}); text != "" {
		t.Errorf("nobody has told anything, and shown is %q", text)
	}
	e := explained()
	e.Candidates[0].Memory, e.Candidates[0].Free = 32*gib, 12*gib+gib/2
	golden(t, "why-capacity.txt", Why(e, 80))
}
