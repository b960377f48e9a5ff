package floors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writingPlan is a Plan that writes in each way that is looked for.
const writingPlan = `package dirty
import "sort"
type Member struct { Names []string; By map[string]int; Left bool }
type Records[V any] struct { rows []*V }
type Table[V any] struct { Records[V] }
func (t *Table[V]) Set(V) { t.rows = nil }
type State struct { Nodes Table[Member]; Level int }
func (s *State) Raise() { s.Level++ }
func (s *State) RaiseTwice() { s.Raise(); s.Raise() }
type facts struct { state *State; Nodes *Records[Member] }
func (f facts) Level() int { return f.state.Level }
type World struct { facts }
type planner struct { World; pen *State }
func (p *planner) plan() {
	for _, n := range p.Nodes.rows { n.Left = true; sort.Strings(n.Names); delete(n.By, ""); n.By[""] = 1 }
	n := *p.Nodes.rows[0]
	n.Left = false
	n.Names[0] = ""
	p.pen.Nodes.Set(n)
	_ = p.Level()
	p.pen.RaiseTwice()
}
`

// TestTheWardenSees proves that the warden is not blind.
func TestTheWardenSees(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "dirty.go"), []byte(writingPlan), 0o600); err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for _, p := range goList(t, "-export", "-deps", "sort") {
		exports[p.ImportPath] = p.Export
	}
	dirty := listed{ImportPath: "dirty", Dir: folder, GoFiles: []string{"dirty.go"}}
	seen := typeCheck(t, dirty, exports)
	wrong := strings.Join(newWarden(seen, seen).inspect(), "\n")
	for _, what := range []string{
		"15:35: plan assigns",
		"sort.Strings",
		"deletes what",
		"15:91: plan assigns",
		"18:2: plan assigns",
		"19:14: plan asks Set, which writes",
		"21:8: plan asks RaiseTwice, which writes",
		"planner.pen is a State",
		"19:2: plan holds the State",
	} {
		if !strings.Contains(wrong, what) {
			t.Errorf("the warden did not see: %s\n%s", what, wrong)
		}
	}
	for _, what := range []string{":11:", ":16:", ":17:", ":20:"} {
		if strings.Contains(wrong, what) {
			t.Errorf("the warden sees what is right, at %s\n%s", what, wrong)
		}
	}
}
