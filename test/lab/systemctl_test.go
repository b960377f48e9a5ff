package lab

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheLabsSystemctlReadsOurUnits: a unit that it understood only in part would be another one
// than a real host runs.
func TestTheLabsSystemctlReadsOurUnits(t *testing.T) {
	read := func(name string) (unitFile, Service) {
		t.Helper()
		file, err := os.Open(filepath.Join("..", "..", "packaging", name+unitSuffix))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		unit, err := parseUnit(bufio.NewScanner(file))
		if err != nil {
			t.Fatal(err)
		}
		service, err := unit.service(name)
		if err != nil {
			t.Fatal(err)
		}
		return unit, service
	}
	unit, daemon := read("clusterd")
	if daemon.Restart != RestartOnFailure || daemon.RestartDelay != 200*time.Millisecond ||
		strings.Join(daemon.Argv, " ") != "@sbindir@/clusterd run" || unit["Service.Type"] != "notify" ||
		!strings.HasSuffix(unit["Unit.ConditionPathExists"], "membership.json") {
		t.Errorf("clusterd.service is read as %+v of %v", daemon, unit)
	}
	if _, handover := read("clusterd-handover"); handover.Restart != RestartNever || len(handover.Argv) != 3 ||
		!strings.Contains(handover.Argv[2], "clusterd node leave") {
		t.Errorf("clusterd-handover.service is read as %+v", handover)
	}
}
