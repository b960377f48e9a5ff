package stage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/test/lab"
)

// newWorld makes a simulated world in which no daemon is ever started.
func newWorld(t *testing.T) *Simulated {
	t.Helper()
	world, err := NewSimulated(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(world.directory); err == nil {
			t.Errorf("%s is left", world.directory)
		}
	})
	return world
}

func TestTheDocumentIsOneThatClusterdTakes(t *testing.T) {
	world := newWorld(t)
	service := Service{Guest: lab.Guest{Name: "web", Number: 11}, Domain: "home", Settings: []string{"max_restarts: 2"}}
	plan := Plan{Cluster: "alpha", Domains: []string{"home: {ordered: true, members: {node1: 1, node2: 2}}"},
		Services: []Service{service}, Probes: true}
	text := documentText(world, plan, "/secret")
	if strings.Contains(text, world.password) {
		t.Error("the password is in the document; it belongs into its file")
	}
	readFile := func(path string) ([]byte, error) { return []byte(world.password + "\n"), nil }
	parsed, err := config.Parse("cluster.yaml", []byte(text), readFile, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	web := parsed.Document.Services["vm:web"]
	if web.Domain != "home" || web.MaxRestarts != 2 || web.UUID != service.Guest.UUID() ||
		web.Probe != "udp:10.77.0.11:7" || len(web.Disks) != 1 {
		t.Errorf("vm:web was understood as %+v", web)
	}
	if got := parsed.Document.Devices["bmc-node2"]; string(got.Password) != world.password ||
		got.Address != world.Device("node2").Address {
		t.Errorf("bmc-node2 was understood with address %q", got.Address)
	}
}

func TestTheNodeSettingsAreOnesThatClusterdTakes(t *testing.T) {
	world := newWorld(t)
	for _, node := range world.Nodes() {
		settings, err := nodefile.Parse("node.yaml", []byte(world.NodeSettings(node)), "elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		if settings.Name != node || settings.SocketPath() != world.Socket(node) || settings.Simulate == nil {
			t.Errorf("%s is understood as %+v", node, settings)
		}
	}
}

func TestASimulatedPowerCutTakesThePowerAndChangesTheBoot(t *testing.T) {
	world := newWorld(t)
	bootID := func() string {
		text, err := os.ReadFile(simulated.BootIDPath(world.world(), "node2"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := bootID()
	if err := world.CutPower("node2"); err != nil {
		t.Fatal(err)
	}
	if world.Powered("node2") || world.machine("node2").controller.Power() || !world.Powered("node1") {
		t.Error("node2 alone must be without power, and its controller must know")
	}
	if err := world.Boot(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	if !world.Powered("node2") || !world.machine("node2").controller.Power() || bootID() == before {
		t.Error("node2 must have power again, with another boot id")
	}
}

func TestTheWatchSeesGapsAndRuns(t *testing.T) {
	world := newWorld(t)
	guest := lab.Guest{Name: "web", Number: 11}
	start := time.Now().Add(-10 * time.Second)
	record := `{"at":"AT0","node":"node1","uuid":"UUID","service":"vm:web","instance":"one","what":"began"}
{"at":"AT2","node":"node1","uuid":"UUID","service":"vm:web","instance":"one","what":"ended"}
{"at":"AT5","node":"node2","uuid":"UUID","service":"vm:web","instance":"two","what":"began"}
`
	at := func(seconds int) string {
		return start.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339Nano)
	}
	record = strings.NewReplacer("AT0", at(0), "AT2", at(2), "AT5", at(5), "UUID", guest.UUID()).Replace(record)
	if err := os.WriteFile(filepath.Join(world.world(), "runs.jsonl"), []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	watch := &simulatedWatch{world: world.world(), uuid: guest.UUID(), since: start}
	seen := watch.Seen()
	if seen.Nonce != "two" || seen.Runs != 2 || seen.Silence.Round(time.Second) != 3*time.Second || !seen.Answers {
		t.Errorf("seen %+v, want two runs with 3 s between them", seen)
	}
	watch.Reset()
	if seen := watch.Seen(); seen.Runs != 1 || seen.Silence > time.Second {
		t.Errorf("seen after Reset %+v, want the second run alone, never silent", seen)
	}
	if on, err := world.Guests(t.Context(), "node2"); err != nil || len(on) != 1 || on[0] != "web" {
		t.Errorf("node2 has %v (%v), want web", on, err)
	}
}
