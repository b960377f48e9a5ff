package recorder

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	clusterapply "github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/mind"
	clusterplan "github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// secret stands wherever a State keeps one.
const secret = "hunter2-the-secret"

// lossPlan is the plan of a leader that has just lost node2.
func lossPlan(t testing.TB) mind.Planned {
	t.Helper()
	var state cluster.State
	index := uint64(0)
	apply := func(commands ...cluster.Command) {
		t.Helper()
		index++
		applied := clusterapply.Apply(&state, cluster.Entry{Index: index, At: noon.Add(time.Duration(index) * time.Second),
			Commands: commands})
		if err := applied.Err(); err != nil {
			t.Fatal(err)
		}
	}
	secrets := cluster.Secrets{Authority: "public", AuthorityKey: []byte(secret)}
	apply(cluster.Init{Cluster: "office", ID: "7ad3", Level: cluster.CurrentLevel, Secrets: secrets})
	for i := 1; i <= 3; i++ {
		apply(cluster.AddToken{ID: node(i), Token: cluster.Token{Hash: secret, Expires: noon.Add(time.Hour)}})
		apply(cluster.Join{Token: node(i), Node: node(i), Fingerprint: "key-" + node(i), HardwareUUID: "uuid-" + node(i),
			Address: addressOf(i)})
	}
	for i := 1; i <= 3; i++ {
		apply(cluster.NodeUp{Node: node(i), Fingerprint: "key-" + node(i), Boot: "boot-" + node(i), Address: addressOf(i),
			MaxLevel: cluster.CurrentLevel})
		apply(cluster.Inventory{Node: node(i), Incarnation: index, Boot: "boot-" + node(i), Found: []cluster.Found{}})
	}
	apply(cluster.AddToken{ID: "open", Token: cluster.Token{Hash: secret, Expires: noon.Add(time.Hour)}})
	definition := "<domain><graphics passwd='" + secret + "'/></domain>"
	document := cluster.Document{
		Cluster: "office", Nodes: map[string]cluster.NodeSpec{},
		Devices: map[string]fence.Device{"bmc2": {Name: "bmc2", Driver: "ipmi", Address: "10.0.1.2", Username: "admin",
			Password: secret, Options: map[string]string{"key": secret}}},
		Services: map[string]resources.Spec{"vm:web": {Name: "vm:web", UUID: "u-web", Autostart: true, Definition: "hash"}},
	}
	tree := []resources.Resource{{Type: "ocf:heartbeat:Filesystem", Name: "data", Parameters: map[string]string{
		"directory": "/srv", "options": "ro,password=" + secret,
	}, Children: []resources.Resource{{
		Type: "ocf:heartbeat:mysql", Name: "db", Parameters: map[string]string{"test_passwd": secret},
	}}}}
	text, hash := resources.TreeDefinition(tree)
	document.Services["service:shop"] = resources.Spec{Name: "service:shop", UUID: "u-shop", Definition: hash, Tree: tree}
	document.Nodes["node2"] = cluster.NodeSpec{Fence: []fence.Level{{Devices: []string{"bmc2"}}}}
	blobs := map[string]string{"hash": definition, hash: text}
	apply(cluster.Configure{Text: "password: " + secret, Document: document, Blobs: blobs})

	view := cluster.View{Self: "node1", Leading: true, Quiet: time.Second, Newest: index,
		Contacts: map[string]cluster.Contactwatch{
			"node2": {Silence: 2 * time.Second, Heard: true, Verdict: &cluster.Verdict{Node: "node2", Kernel: cluster.Silent,
				Daemon: cluster.Silent, Why: message.Words("nobody reached it")}, VerdictAge: 50 * time.Millisecond},
			"node3": {Heard: true},
		}}
	root := state.Fork()
	return mind.Planned{State: root, View: view, Decision: clusterplan.Plan(root, view)}
}

func node(i int) string { return fmt.Sprintf("node%d", i) }

func addressOf(i int) string { return fmt.Sprintf("10.0.0.%d", i) }

func lossRecord(t testing.TB) Record {
	t.Helper()
	return Record{Clusterd: "1.2.3", Node: "node1", At: noon, Missed: 3, Planned: lossPlan(t)}
}

func encoded(t testing.TB, r Record) []byte {
	t.Helper()
	packed, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestARecordIsReadAsItWasWrittenAndPlansTheSame(t *testing.T) {
	r := lossRecord(t)
	if len(r.Planned.Decision.Commands) < 2 {
		t.Fatalf("the loss of a node leads to %v; the test needs its contact and its fence", r.Planned.Decision.Commands)
	}
	again, err := Decode(encoded(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if again.Clusterd != r.Clusterd || again.Node != r.Node || !again.At.Equal(r.At) || again.Missed != r.Missed ||
		again.Strange != "" {
		t.Errorf("read back as %+v", again)
	}
	if !reflect.DeepEqual(again.Planned.View, r.Planned.View) {
		t.Errorf("the view became\n%+v\nfrom\n%+v", again.Planned.View, r.Planned.View)
	}
	if !reflect.DeepEqual(again.Planned.Decision.Commands, r.Planned.Decision.Commands) {
		t.Errorf("the commands became %+v", again.Planned.Decision.Commands)
	}
	comparison, err := Replay(again)
	if err != nil || !comparison.Same || comparison.Reworded {
		t.Errorf("made again it is %+v, %v", comparison, err)
	}
}

func TestReplayShowsAChangedDecision(t *testing.T) {
	r := lossRecord(t)
	commands := r.Planned.Decision.Commands
	r.Planned.Decision.Commands = append([]cluster.Command{cluster.NodeGone{Node: "node3", Incarnation: 8}},
		commands[1:]...)
	again, err := Decode(encoded(t, r))
	if err != nil {
		t.Fatal(err)
	}
	comparison, err := Replay(again)
	if err != nil || comparison.Same {
		t.Fatalf("a changed decision is the same: %+v, %v", comparison, err)
	}
	text := strings.Join(comparison.Commands, "\n")
	if !strings.Contains(text, `- node-left {"node":"node3"`) || !strings.Contains(text, `+ contact {"node":"node2"`) ||
		!strings.Contains(text, `  begin-fence {"node":"node2"`) {
		t.Errorf("it is shown as\n%s", text)
	}
}

func TestOtherWordsAreTheSameDecision(t *testing.T) {
	r := lossRecord(t)
	contact := r.Planned.Decision.Commands[0].(cluster.Contact)
	contact.Why = message.Words("put otherwise")
	r.Planned.Decision.Commands[0] = contact
	comparison, err := Replay(r)
	if err != nil || !comparison.Same || !comparison.Reworded {
		t.Errorf("another sentence makes it %+v, %v", comparison, err)
	}
	contact.Incarnation++
	r.Planned.Decision.Commands[0] = contact
	if comparison, err = Replay(r); err != nil || comparison.Same {
		t.Errorf("another incarnation makes it %+v, %v", comparison, err)
	}
}

// TestNoSecretIsInARecord walks everything that is written.
func TestNoSecretIsInARecord(t *testing.T) {
	r := lossRecord(t)
	whole, err := json.Marshal(r.Planned.State)
	if err != nil {
		t.Fatal(err)
	}
	if places := secretsIn(t, whole); len(places) < 10 {
		t.Fatalf("only %v hold a secret; this test would find nothing", places)
	}
	text, err := unpack(encoded(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if places := secretsIn(t, text); len(places) > 0 {
		t.Errorf("secrets are in %v", places)
	}
	if after, _ := json.Marshal(r.Planned.State); !bytes.Equal(after, whole) {
		t.Error("the State in use was changed")
	}
}

// secretsIn tells where in a JSON text the secret stands, plain or in base64.
func secretsIn(t *testing.T, text []byte) []string {
	t.Helper()
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	inBytes, _ := json.Marshal([]byte(secret))
	var places []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				walk(path+"."+key, inner)
			}
		case []any:
			for _, inner := range value {
				walk(path+"[]", inner)
			}
		case string:
			if strings.Contains(value, secret) || strings.Contains(value, strings.Trim(string(inBytes), `"`)) {
				places = append(places, path)
			}
		}
	}
	walk("", root)
	return places
}

// TestEveryFieldOfTheStateIsJudged fails when a field is added whose secrecy
// nobody has thought about.
func TestEveryFieldOfTheStateIsJudged(t *testing.T) {
	judged := map[string]string{
		"State": "Level Cluster ID Generation Index Config Document History Blobs Nodes Services Tombstones Fences " +
			"Shots Disarmed FenceHistory PowerOns Drill Drilled Checks Reach OldLogins Proven Alerts Requests Tokens " +
			"Removed Secrets Timeline NextNodeID Lock Forgotten Clients Moves Leader",
		"Document": "Cluster Timing Nodes Domains Devices Services StartAtOnce Fencing TwoNode Alerts StopGrace " +
			"Allowance Web Networks",
		"Config":       "Version Text At By Reason Summary Index",
		"Device":       "Name Driver Address Username Password Credential Options Limits",
		"NodeSpec":     "Fence Site Allowance",
		"Planned":      "State View Decision",
		"View":         "Self Leading Term Led Contacts Cooldown Stuck Waited Quiet Newest Loops Ends Opens",
		"Contactwatch": "Silence Heard Assumed Incarnation Known Verdict VerdictAge KernelOnly StoodStill Log Starts",
		"Logwatch":     "Applied End ApplyGoal EndGoal Still Well Deaf",
	}
	for _, value := range []any{cluster.State{}, cluster.Document{}, cluster.Config{}, fence.Device{},
		cluster.NodeSpec{}, mind.Planned{}, cluster.View{}, cluster.Contactwatch{}} {
		kind := reflect.TypeOf(value)
		for i := range kind.NumField() {
			name := kind.Field(i).Name
			if !strings.Contains(" "+judged[kind.Name()]+" ", " "+name+" ") {
				t.Errorf("%s.%s is new: blank it in WithoutSecrets if it can hold a secret, then name it here", kind.Name(), name)
			}
		}
	}
}

func TestWhatCannotBeReadIsToldApart(t *testing.T) {
	pack := func(text string) []byte {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		writer.Write([]byte(text))
		writer.Close()
		return packed.Bytes()
	}
	whole := encoded(t, lossRecord(t))
	for name, c := range map[string]struct {
		packed []byte
		want   error
	}{
		"a later format": {pack(`{"record":2,"view":"of another shape"}`), ErrVersion},
		"a later level":  {pack(`{"record":1,"state":{"level":99}}`), ErrVersion},
		"an unknown command": {pack(`{"record":1,"state":{"level":1},"commands":[{"v":1,"kind":"dance","body":{}}]}`),
			ErrVersion},
		"no gzip":         {[]byte("hello"), ErrNoRecord},
		"nothing":         {nil, ErrNoRecord},
		"another JSON":    {pack(`{"services":[]}`), ErrNoRecord},
		"without a State": {pack(`{"record":1,"commands":[]}`), ErrNoRecord},
		"torn":            {whole[:len(whole)/2], ErrNoRecord},
		"a bomb":          {bytes.Repeat(pack(strings.Repeat(" ", 1<<20)), largestUnpacked>>20+1), ErrTooLarge},
		"too large":       {make([]byte, largestPacked+1), ErrTooLarge},
	} {
		if _, err := Decode(c.packed); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	strange, err := Decode(pack(`{"record":1,"state":{"level":1,"colour":"blue"},"commands":[]}`))
	if err != nil || !strings.Contains(strange.Strange, "colour") {
		t.Errorf("a field of a newer build: %q, %v", strange.Strange, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, lossRecord(f)), true)
	f.Add([]byte(`{"record":1,"state":{"level":1,"nodes":{"a":{"name":"a","state":"lost","incarnation":1}}},`+
		`"view":{"Self":"b"},"commands":[]}`), false)
	f.Add([]byte(`{"record":1,"state":{"services":{"vm:a":{"intent":{"kind":"migrate"},`+
		`"holders":[{"node":"x"}]}}},"commands":[]}`), false)
	f.Fuzz(func(t *testing.T, data []byte, packed bool) {
		if !packed { // the inside of a record, so that the mutations get past gzip
			var out bytes.Buffer
			writer := gzip.NewWriter(&out)
			writer.Write(data)
			writer.Close()
			data = out.Bytes()
		}
		record, err := Decode(data)
		if err != nil {
			return
		}
		if _, err := Encode(record); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
		if _, err := Replay(record); err != nil && !errors.Is(err, ErrPlanFailed) {
			t.Errorf("what was read cannot be planned: %v", err)
		}
	})
}

func TestAPlanThatPanicsIsToldAsOne(t *testing.T) {
	r := lossRecord(t)
	r.Planned.State = nil
	if _, err := Replay(r); !errors.Is(err, ErrPlanFailed) {
		t.Errorf("told as %v", err)
	}
}

// BenchmarkEncode is a record of a large cluster: 16 nodes, 1000 services.
func BenchmarkEncode(b *testing.B) {
	r := lossRecord(b)
	state := *r.Planned.State
	web, _ := state.Services.Get("vm:web")
	for i := range 1000 {
		service := web
		service.Spec.Name = fmt.Sprintf("vm:%d", i)
		service.Spec.UUID = fmt.Sprintf("77777777-0000-4000-8000-%012d", i)
		service.Spec.Disks = []resources.Disk{{Identity: fmt.Sprintf("nbd://10.0.0.1:10809/%d", i)}}
		service.Holders = []cluster.Holder{{Node: "node2", Machine: "key-node2/uuid-node2", Boot: "boot-node2",
			Since: uint64(i), Condition: "running", Definition: "hash", Disks: service.Spec.Disks}}
		state.Services.Set(service.Spec.Name, service)
	}
	r.Planned.State = &state
	size := 0
	for b.Loop() {
		size = len(encoded(b, r))
	}
	b.ReportMetric(float64(size), "bytes/record")
}
