package floors

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// unlinked are packages that may not come into the daemon again, each with its reason.
var unlinked = map[string]string{
	"github.com/bmc-toolbox/bmclib/v2": "the client links every provider (docs/decisions/0025-what-is-linked.md)",
	"github.com/satori/go.uuid":        "it is no longer maintained",
	"github.com/VictorLowther/soap":    "it is no longer maintained",
	"honnef.co/go/tools":               "tools are in tools.mod and in no program",
}

// TestWhatIsNotLinked holds what the daemon got rid of out of it.
func TestWhatIsNotLinked(t *testing.T) {
	packages := goList(t, "-deps", "./cmd/clusterd")
	if len(packages) < 100 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range packages {
		for path, why := range unlinked {
			// Of bmclib only the client itself is meant: one of its providers is used.
			if p.ImportPath == path || !strings.Contains(path, "bmclib") && strings.HasPrefix(p.ImportPath, path+"/") {
				t.Errorf("cmd/clusterd links %s: %s", p.ImportPath, why)
			}
		}
	}
}

// TestTheDaemonNeedsNoCompilerForC: make builds it without libvirt where there is none, which is
// enough for make demo SIM=1. What only cgo's files declare has a stub then.
func TestTheDaemonNeedsNoCompilerForC(t *testing.T) {
	command := exec.Command("go", "build", module+"internal/assemble")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
}

// TestNestedModulesFollowThisOne: a module within this one asks for what this one asks for, and
// what is raised here has to be raised there, or its tests build for nobody.
func TestNestedModulesFollowThisOne(t *testing.T) {
	for _, folder := range []string{"../web"} {
		list := exec.Command("go", "list", "-mod=readonly", "-deps", "-test", "./...")
		list.Dir = folder
		if said, err := list.CombinedOutput(); err != nil {
			t.Errorf("the module in test/%s: %v; run `go mod tidy` there:\n%s", folder[len("../"):], err, said)
		}
	}
}
