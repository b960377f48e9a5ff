package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/clusterd/clusterd/"
	tags   = "libvirt_dlopen,urfave_cli_no_docs"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
	Imports    []string
}

func goList(t *testing.T, arguments ...string) []listed {
	t.Helper()
	var out, problems bytes.Buffer
	list := exec.Command("go", append([]string{"list", "-tags", tags, "-json=ImportPath,Dir,Export,GoFiles,Imports"},
		arguments...)...)
	list.Dir, list.Stdout, list.Stderr = "../..", &out, &problems
	if err := list.Run(); err != nil {
		t.Fatalf("go list %v: %v\n%s", arguments, err, problems.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(&out); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("go list %v: %v", arguments, err)
		}
		packages = append(packages, p)
	}
}

// room is a folder of packages and what they may import of ours. "x" is that
// package alone, "x/..." all below it, "x..." both.
type room struct {
	folder string
	may    []string
	why    string
}

// rooms, most special first: the first that fits a package counts.
var rooms = []room{
	{"internal/message", nil, "floor 0: what is said is a code, and knows nothing of what it is about"},
	{"domain", []string{"internal/message"},
		"floor 0: placement knows neither states nor the log, so that it can be tested alone"},
	{"resources", nil, "floor 0: what is kept alive knows nobody who keeps it"},
	{"fence", nil, "floor 0: what is proven about power does not depend on who asks"},
	{"internal/owned", nil, "what may run as root is asked by all hands and knows none of them"},
	{"fence/proof", []string{"fence"}, "floor 1: what proves law L3 knows no device, only what it answers"},
	{"internal/sleep", nil, "how a loop pauses is asked by all hands and knows none of them"},
	{"fence/...", []string{"fence", "fence/proof", "resources", "internal/owned", "internal/sleep"},
		"floor 1: a driver knows its root's contract and nothing of clusters"},
	{"cluster/internal/words", nil, "floor 0: how a list is put into a sentence"},
	{"cluster", []string{"internal/message", "cluster/internal/words", "domain", "resources", "fence"},
		"floor 1: values only, so that they can be replayed and simulated"},
	{"cluster/rules", []string{"internal/message", "cluster", "cluster/internal/words", "domain", "resources", "fence"},
		"floor 1: what Plan and Apply both ask knows neither of them"},
	{"cluster/apply", []string{"internal/message", "cluster", "cluster/rules", "cluster/internal/words", "domain",
		"resources", "fence"},
		"floor 1: the one pen asks the rules and never what the leader thinks"},
	{"cluster/plan", []string{"internal/message", "cluster", "cluster/rules", "cluster/internal/words", "domain",
		"resources", "fence"},
		"floor 1: Plan cannot hold the pen"},
	{"cluster/rehearse", []string{"internal/message", "cluster...", "domain", "resources", "fence"},
		"floor 1: the only room that sees both Plan and Apply"},
	{"cluster/mind", []string{"internal/message", "cluster", "cluster/rules", "cluster/plan", "cluster/internal/words",
		"domain", "resources", "fence"}, "floor 1: the decision core proposes and never writes"},
	{"cluster/clustertest", []string{"internal/message", "cluster", "cluster/apply", "cluster/rules", "domain",
		"resources", "fence"},
		"a State under test, for the tests of all rooms but Apply's own"},
	{"quorum/internal/librarylog", nil, "floor 0: how a library logs, whoever uses it"},
	{"quorum", []string{"quorum/internal/librarylog"},
		"floor 1: it carries opaque bytes and never learns what a VM is"},
	{"quorum/gossip", []string{"quorum/internal/librarylog"},
		"floor 1: a hint that decides nothing, so it reaches neither the log nor the heartbeats"},
	{"quorum/voters", []string{"quorum"}, "floor 1: who should vote is worked out, and done by others"},
	{"quorum/quorumtest", []string{"quorum"}, "floor 1: helpers of the log's tests"},
	{"agents...", []string{"agents...", "resources", "internal/owned"},
		"floor 1: hands know what they hold and not who decides"},
	{"internal/config/nodefile", []string{"internal/config/keys", "internal/config/strict", "internal/nearest"},
		"floor 2: it is read before anything is known of a cluster"},
	{"internal/config/keys", []string{"internal/config/strict"},
		"floor 1: it knows what a key has to say for itself, and none of them"},
	{"internal/config/options", []string{"internal/config/strict", "internal/config/rewrite", "internal/nearest", "fence"},
		"floor 2: what a driver declares is held against what is written, whatever else the document says"},
	{"internal/config/nets", []string{"internal/config/keys", "internal/config/strict", "internal/nearest", "resources"},
		"floor 2: a section of the document is read as the whole of it is"},
	{"internal/config", []string{"internal/config/keys", "internal/config/nets", "internal/config/options",
		"internal/config/placing", "internal/config/strict", "internal/config/rewrite", "internal/domainxml",
		"internal/message", "internal/nearest", "cluster", "domain", "resources", "fence"},
		"floor 2: what a document means does not depend on who reads it"},
	{"internal/config/rewrite", []string{"internal/config/strict", "cluster", "fence"},
		"floor 2: a text is edited without being judged"},
	{"internal/config/placing", nil, "floor 1: it knows names and what is said of them, and no document"},
	{"internal/config/strict", []string{"internal/nearest"},
		"floor 1: it knows kinds of values, and no file that is made of them"},
	{"internal/domainxml", []string{"resources"},
		"floor 1: what a VM's XML says follows from the XML alone"},
	{"internal/networks/users", []string{"cluster"}, "floor 1: who uses a network follows from the State alone"},
	{"internal/networks", []string{"internal/networks/users", "internal/sleep", "agents", "agents/network", "cluster"},
		"floor 2: this host's networks, without the run loop or the log"},
	{"internal/report", []string{"internal/message", "internal/networks/users", "agents", "internal/api", "cluster",
		"cluster/rules", "domain", "resources", "fence"},
		"floor 2: what is shown follows from the State and a few facts, and from nothing else"},
	{"internal/lobby", []string{"internal/limits"},
		"floor 1: what bounds a port knows nothing of what is served there"},
	{"internal/metrics", []string{"internal/limits", "internal/lobby", "internal/message", "internal/report", "cluster",
		"cluster/rules", "resources"},
		"floor 2: what is measured follows from the State and a few facts; it asks and is asked, and decides nothing"},
	{"internal/executor", []string{"internal/message", "internal/sleep", "agents", "cluster", "cluster/mind",
		"resources", "fence"},
		"floor 2: hands carry out what was decided, and reach the log and the others by what they are given"},
	{"internal/hostguard", []string{"internal/message", "internal/sleep", "agents", "cluster", "cluster/mind",
		"resources", "fence",
		"fence/watchdog"},
		"floor 2: this host's own end, without the run loop or the log"},
	{"internal/recorder", []string{"internal/message", "cluster", "cluster/mind", "cluster/plan", "resources", "fence"},
		"floor 2: what decided is written down together with what it decided"},
	{"internal/rehearsal", []string{"internal/message", "internal/cli", "cluster", "cluster/apply",
		"cluster/plan", "resources", "fence"},
		"floor 2: what would happen is tried on a copy, by the code that would do it"},
	{"internal/membership", []string{"internal/message", "internal/api", "internal/config",
		"internal/config/nodefile", "internal/pki", "cluster", "quorum"},
		"floor 2: how a node comes to belong to a cluster, while no daemon runs or for one that does"},
	{"internal/fencing", []string{"internal/api", "internal/message", "internal/server", "internal/sleep", "cluster",
		"cluster/rules", "fence"},
		"floor 2: what begins a fence by hand or by schedule puts it into the log, and reaches no device but to look"},
	{"internal/passage", []string{"internal/config", "internal/config/nodefile", "internal/message", "internal/warnings",
		"agents", "cluster", "resources"},
		"floor 2: what may come up here follows from the State and this host's own policy"},
	{"internal/ears", []string{"internal/message", "internal/sleep", "internal/warnings", "agents", "cluster",
		"cluster/mind", "quorum", "resources"},
		"floor 2: what a host tells is heard and handed on, and decides nothing"},
	{"internal/register", []string{"internal/api", "internal/audit", "internal/knocks", "internal/limits",
		"internal/membership", "internal/pki", "internal/sleep", "internal/tunnel", "internal/warnings"},
		"floor 2: what is written down of callers knows neither State nor log"},
	{"internal/adoption", []string{"internal/api", "internal/config", "internal/config/rewrite", "internal/domainxml",
		"internal/message", "internal/server", "cluster", "resources"},
		"floor 2: a VM is taken in by the document, and by the hypervisor's hand that it is given"},
	{"internal/vault", []string{"internal/config", "internal/membership", "internal/message", "internal/pki",
		"internal/server", "internal/warnings", "cluster", "fence", "quorum"},
		"floor 2: what holds the data key reaches the log by what it is given, and lets secrets out by the call"},
	{"internal/membership/entrance", []string{"internal/api", "internal/membership", "internal/message", "internal/pki",
		"internal/server", "cluster", "cluster/rules", "quorum"},
		"floor 2: who comes in is decided by the rules; here it is asked before, and signed after"},
	{"internal/membership/ownkeys", []string{"internal/membership", "internal/message", "internal/pki", "internal/sleep",
		"internal/warnings", "cluster"},
		"floor 2: a node's own keys are turned by the steps that the State asks for"},
	{"internal/membership/inquiry", []string{"internal/message"},
		"floor 1: what nodes ask each other knows neither who asks nor who answers"},
	{"internal/membership/logbook", []string{"internal/membership", "internal/membership/inquiry", "internal/message",
		"internal/sleep", "internal/warnings", "cluster", "quorum"},
		"floor 2: what is remembered of logs is judged by the State, and ends a run by what it is given"},
	{"internal/membership/returning", []string{"internal/config/nodefile", "internal/membership",
		"internal/membership/inquiry", "internal/membership/logbook", "internal/message", "internal/pki",
		"internal/sleep", "internal/warnings", "cluster", "quorum"},
		"floor 2: where a node stands is asked of others, and changes its own files alone"},
	{"internal/membership/comparing", []string{"internal/membership/inquiry", "internal/message", "internal/sleep",
		"internal/warnings", "cluster", "quorum"},
		"floor 2: States are compared by their digests, and the verdict is carried out by others"},
	{"internal/membership/pair", []string{"internal/membership", "internal/message", "internal/sleep",
		"internal/warnings", "cluster", "cluster/mind", "cluster/rules", "fence", "quorum"},
		"floor 2: one of two nodes goes on alone as the rules decide, by hands that it is given"},
	{"internal/membership/roll", []string{"internal/sleep", "cluster", "cluster/rules", "quorum", "quorum/voters"},
		"floor 2: who is a member of the log follows from the State, and who votes is worked out elsewhere"},
	{"internal/roster", []string{"internal/membership", "internal/tunnel", "cluster"},
		"floor 2: what a forwarder may do follows from the State and from whose key is whose"},
	{"internal/pace", []string{"internal/membership", "cluster", "quorum"},
		"floor 2: a timing is followed by what it is given"},
	{"internal/systemd", nil, "floor 0: how a daemon tells its manager knows nothing of what it tells"},
	{"internal/membership/admission", []string{"internal/membership", "internal/message", "internal/pki",
		"internal/sleep", "internal/warnings", "agents", "cluster", "quorum", "resources"},
		"floor 2: a node is brought in by what it puts into the log, after it has looked at what runs here"},
	{"internal/membership/vouching", []string{"internal/membership", "internal/membership/inquiry", "internal/pki",
		"internal/sleep", "cluster"},
		"floor 2: whose key is whose follows from the State, a file and members' words"},
	{"internal/server", []string{"internal/alerts", "internal/api", "internal/config...", "internal/limits",
		"internal/membership", "internal/message", "internal/nearest", "internal/pki", "internal/report", "internal/sleep",
		"cluster", "cluster/plan", "cluster/rehearse", "cluster/rules", "quorum"},
		"floor 2: handlers decode, authorise, call and encode; they judge nothing and reach the run loop by what they " +
			"are given"},
	{"internal/daemon", []string{"internal/...", "cluster...", "quorum", "quorum/gossip", "quorum/voters", "agents...",
		"domain", "resources", "fence"},
		"floor 3: the run loop ties all floors below together, and asks a fence driver what it can, not which it is"},
	{"internal/assemble", []string{"internal/...", "cluster", "quorum", "agents...", "domain", "resources", "fence..."},
		"floor 4: it alone knows which agents and drivers there are"},
	{"internal/...", []string{
		"internal/api", "internal/audit", "internal/cli", "internal/config...", "internal/domainxml", "internal/help",
		"internal/importing...",
		"internal/limits", "internal/lobby", "internal/message", "internal/nearest", "internal/owned", "internal/plain",
		"internal/sleep", "internal/pki", "internal/tunnel", "internal/web", "cluster", "domain", "resources", "fence",
		"agents",
	},
		"floor 2: never the run loop, the log or a driver"},
	{"cmd/clusterd/command", []string{"internal/api", "internal/cli", "internal/config/nodefile",
		"internal/membership", "internal/nearest", "quorum"},
		"floor 4: what all commands share knows none of them, and no daemon but by its interface"},
	{"cmd/clusterd/declare", []string{"cmd/clusterd/command", "internal/config/rewrite", "internal/domainxml",
		"resources"}, "floor 4: it makes texts; what becomes of them the daemon says"},
	{"cmd/clusterd/foreign", []string{"cmd/clusterd/command", "internal/importing..."},
		"floor 4: a file of another cluster manager is read without asking anybody"},
	{"cmd/clusterd/networks", []string{"cmd/clusterd/command", "internal/api", "internal/cli", "internal/nearest"},
		"floor 4: it shows what a daemon tells"},
	{"cmd/clusterd/roll", []string{"cmd/clusterd/command", "internal/api"},
		"floor 4: a client with patience, which orders nothing that a person could not"},
	{"cmd/clusterd/support", []string{"cmd/clusterd/command", "internal/api", "internal/cli",
		"internal/config/nodefile", "internal/config/rewrite", "internal/daemon", "internal/membership", "internal/pki",
		"internal/owned", "internal/recorder", "internal/vault", "cluster", "fence"},
		"floor 4: it collects what is there, and reaches neither agents nor fence drivers"},
	{"cmd/clusterd/tryout", []string{"cmd/clusterd/command", "cmd/clusterd/foreign", "internal/cli", "internal/config",
		"internal/config/nodefile", "internal/config/rewrite", "internal/importing", "internal/membership",
		"internal/nearest", "internal/rehearsal", "cluster", "agents", "agents/ocf...", "resources", "fence"},
		"floor 4: on paper or by agents, never a daemon or a device"},
	{"cmd/clusterd", []string{"cmd/clusterd/...", "internal/...", "cluster...", "quorum", "agents...", "domain",
		"resources", "fence..."},
		"floor 4: the daemon's own command may link everything"},
	{"cmd/clusterd-doorkeeper", []string{"agents/vm/doorkeeper"},
		"floor 4: libvirt waits for the doorkeeper, so it links nothing but its question"},
	{"cmd/...", []string{"internal/message", "internal/api", "internal/cli", "internal/help", "internal/nearest",
		"cluster", "domain",
		"resources", "fence"}, "floor 4: thin clients start fast and link neither Raft nor libvirt"},
	{"test/sim", []string{"internal/message", "cluster...", "domain", "resources", "fence"},
		"the simulated world pretends everything but the mind"},
	{"test/mutants/breaks", nil, "a list of texts: it names the code that it breaks and links none of it"},
	{"test/...", []string{"..."}, "tests may know everything"},
}

// exceptions to the table; each has a reason.
var exceptions = map[string]string{
	"agents/vm -> internal/tunnel": "the agent asks the tunnel for the sockets of a migration",
}

// matches reports whether a package fits a pattern of the table.
func matches(path, pattern string) bool {
	folder, below := strings.CutSuffix(pattern, "...")
	switch {
	case !below:
		return path == folder
	case folder == "" || strings.HasSuffix(folder, "/"):
		return strings.HasPrefix(path, folder)
	}
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func roomOf(path string) *room {
	for i, r := range rooms {
		if matches(path, r.folder) {
			return &rooms[i]
		}
	}
	return nil
}

func TestFloors(t *testing.T) {
	packages := goList(t, "./...")
	if len(packages) < 10 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range packages {
		path := strings.TrimPrefix(p.ImportPath, module)
		r := roomOf(path)
		if r == nil {
			t.Errorf("%s stands on no floor; give it a room in the table of %s", path, "test/floors")
			continue
		}
		for _, imported := range p.Imports {
			below, ours := strings.CutPrefix(imported, module)
			if !ours || exceptions[path+" -> "+below] != "" || mayImport(r, below) {
				continue
			}
			t.Errorf("%s imports %s, which its room %q may not: %s", path, below, r.folder, r.why)
		}
	}
}

func mayImport(r *room, below string) bool {
	return slices.ContainsFunc(r.may, func(pattern string) bool { return matches(below, pattern) })
}
