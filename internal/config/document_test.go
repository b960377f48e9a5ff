package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

const databaseXML = `<domain type='kvm'>
  <name>db</name>
  <uuid>0d9c1a6c11e34f0ab3a1c0ffee000002</uuid>
  <devices>
    <disk type='file' device='disk'><source file='/srv/cluster/db.img'/><target dev='vda'/></disk>
    <disk type='block' device='disk'><source dev='/dev/disk/by-id/scsi-1'/><target dev='vdb'/><shareable/></disk>
  </devices>
</domain>
`

// files are what readFile finds in these tests.
var files = map[string]string{
	"/root/bmc2":          "second secret\n",
	"/srv/cluster/db.xml": databaseXML,
}

func readFile(path string) ([]byte, error) {
	content, found := files[path]
	if !found {
		return nil, fs.ErrNotExist
	}
	return []byte(content), nil
}

func alpha(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/alpha.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parse(t *testing.T, text []byte) Parsed {
	t.Helper()
	parsed, err := Parse("alpha.yaml", text, readFile, nil)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return parsed
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestParseTakesInTheWholeDocument(t *testing.T) {
	parsed := parse(t, alpha(t))
	var web string
	for _, blob := range parsed.Blobs {
		if strings.Contains(blob, "<name>web</name>") {
			web = blob
		}
	}
	want := cluster.Document{
		Cluster: "alpha",
		Timing:  "fast",
		Nodes: map[string]cluster.NodeSpec{
			"node1":    {Fence: []fence.Level{{Devices: []string{"bmc1"}}}, Site: "rack-a"},
			"node2":    {Fence: []fence.Level{{Devices: []string{"bmc2"}}}, Site: "rack-b"},
			"witness1": {},
		},
		Devices: map[string]fence.Device{
			"bmc1": {Name: "bmc1", Driver: "ipmi", Address: "10.97.0.101", Username: "admin", Password: "first: secret",
				Options: map[string]string{"cipher": "3"}},
			"bmc2": {Name: "bmc2", Driver: "ipmitool", Address: "10.97.0.102:6230", Username: "admin",
				Password: "second secret"},
		},
		Domains: map[string]domain.Domain{
			"prefer-node1": {Name: "prefer-node1", Ordered: true, Members: []domain.Member{{Node: "node1", Priority: 1},
				{Node: "node2", Priority: 2}}},
			"anywhere": {Name: "anywhere", Members: []domain.Member{{Node: "node1"}, {Node: "node2"}}},
		},
		Services: map[string]resources.Spec{
			"vm:web": {Name: "vm:web", UUID: "6f9619ff-8b86-d011-b42d-00cf4fc964ff", Domain: "prefer-node1", Autostart: true,
				Recovery:    resources.Restart,
				MaxRestarts: 3, RestartExpire: 5 * time.Minute, StopTimeout: 90 * time.Second, Probe: "udp:10.77.0.1:7",
				Definition: hashOf(web),
				Disks: []resources.Disk{{Identity: "nbd://10.99.0.254:10809/web"},
					{Identity: "file:/srv/cluster/setup.iso", ReadOnly: true}}},
			"vm:db": {Name: "vm:db", UUID: "0d9c1a6c-11e3-4f0a-b3a1-c0ffee000002", Definition: hashOf(databaseXML),
				Disks: []resources.Disk{{Identity: "file:/srv/cluster/db.img"},
					{Identity: "block:/dev/disk/by-id/scsi-1", Shared: true}}},
		},
	}
	if diff := cmp.Diff(want, parsed.Document); diff != "" {
		t.Errorf("the document differs (-want +got):\n%s", diff)
	}
	if parsed.Blobs[hashOf(databaseXML)] != databaseXML || len(parsed.Blobs) != 2 {
		t.Errorf("the blobs are not the two definitions by their hashes: %d blobs", len(parsed.Blobs))
	}
}

func TestTheTextThatIsKeptMeansTheSameWithoutFiles(t *testing.T) {
	first := parse(t, alpha(t))
	second, err := Parse("kept", []byte(first.Text), nil, nil)
	if err != nil {
		t.Fatalf("the text that is kept has a fault: %v\n%s", err, first.Text)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the text that is kept means something else:\n%s", diff)
	}
	for _, kept := range []string{"# two racks", "# kept out of this file",
		"    definition: |   # shared storage\n      <domain type='kvm'>\n"} {
		if !strings.Contains(first.Text, kept) {
			t.Errorf("%q is not in the text that is kept:\n%s", kept, first.Text)
		}
	}
}

func TestRedactShowsNoPasswordAndTheMaskKeepsTheOldOne(t *testing.T) {
	inForce := parse(t, alpha(t))
	shown := rewrite.Redact(inForce.Text)
	for _, password := range []string{"first: secret", "second secret"} {
		if strings.Contains(shown, password) {
			t.Errorf("the password %q is shown:\n%s", password, shown)
		}
	}
	if strings.Count(shown, rewrite.Mask) != 2 || strings.Count(shown, "\n") != strings.Count(inForce.Text, "\n") {
		t.Errorf("the redacted text is not the text with two masks:\n%s", shown)
	}
	again, err := Parse("shown", []byte(shown), nil, &inForce.Document)
	if err != nil {
		t.Fatal(err)
	}
	if changes := Diff(inForce.Document, again.Document); len(changes) != 0 {
		t.Errorf("applying what is shown changes something: %q", changes)
	}
	if strings.Contains(again.Text, rewrite.Mask) {
		t.Error("a mask was kept in place of a password")
	}
	_, err = Parse("shown", []byte(shown), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "the password of device bmc1 is masked") {
		t.Errorf("a mask without an old password was taken as one: %v", err)
	}
}

func TestRedactOfUnusualSpellings(t *testing.T) {
	for _, text := range []string{
		"devices:\n  b:\n    password: |\n      hidden\n",
		"devices:\n  b:\n    password: hidden\n      words\n",
		"devices: {b: {password: 'hid''den', x: 1}}\n",
		"devices: {b: {\"password\": \"hid\\\"den\"}}\n",
		"devices:\n  b:\n    password: [hidden]\n",
		"devices:\n  b:\n    password: !!str hidden\n",
		"cluster: x\ndevices: {b: {password: hidden\n",
	} {
		if shown := rewrite.Redact(text); strings.Contains(shown, "hid") {
			t.Errorf("the password of %q is shown:\n%s", text, shown)
		}
	}
}

func TestPrepareSendsContentsAndLeavesMasksToTheDaemon(t *testing.T) {
	inForce := parse(t, alpha(t))
	edited := strings.Replace(string(alpha(t)), "first: secret", rewrite.Mask, 1)
	prepared, err := Prepare("alpha.yaml", []byte(edited), readFile)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse("alpha.yaml", []byte(prepared.Text), nil, &inForce.Document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inForce.Document, parsed.Document); diff != "" {
		t.Errorf("the daemon read something else than was meant:\n%s", diff)
	}
}

func TestSecretsAreNotInMessages(t *testing.T) {
	text := "cluster: a\ndevices:\n  b: {driver: ipmi, address: 10.0.0.1, password: [topsecret]}\n"
	_, err := Parse("a.yaml", []byte(text), nil, nil)
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the message is %v", err)
	}
}

func TestAllFaultsAreToldAtOnceUpToALimit(t *testing.T) {
	var text strings.Builder
	text.WriteString("cluster: a\nnodes:\n")
	for i := range 60 {
		fmt.Fprintf(&text, "  node%d: {rack: x}\n", i)
	}
	_, err := Parse("a.yaml", []byte(text.String()), nil, nil)
	var faults *strict.Faults
	if !errors.As(err, &faults) || len(faults.List) != strict.MostFaults || faults.More != 10 {
		t.Fatalf("got %v", err)
	}
	if last := faults.Lines()[strict.MostFaults]; last != "and 10 more faults" {
		t.Errorf("the last line is %q", last)
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/alpha.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, c := range faultCases {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rewrite.Redact(string(text))
		parsed, err := Parse("fuzz", text, readFile, nil)
		if err != nil {
			var faults *strict.Faults
			if !errors.As(err, &faults) || len(faults.List) == 0 || parsed.Text != "" {
				t.Fatalf("the error is not a list of faults, or something was taken in beside it: %v", err)
			}
			return
		}
		again, err := Parse("fuzz again", []byte(parsed.Text), nil, nil)
		if err != nil {
			t.Fatalf("the text that is kept has a fault: %v\n%s", err, parsed.Text)
		}
		if changes := Diff(parsed.Document, again.Document); len(changes) > 0 {
			t.Fatalf("the text that is kept means something else: %q", changes)
		}
		shown, err := Parse("fuzz shown", []byte(rewrite.Redact(parsed.Text)), nil, &parsed.Document)
		if err != nil && !strings.Contains(err.Error(), "masked") {
			t.Fatalf("what is shown has a fault: %v", err)
		}
		if changes := Diff(parsed.Document, shown.Document); err == nil && len(changes) > 0 {
			t.Fatalf("what is shown means something else: %q", changes)
		}
	})
}
