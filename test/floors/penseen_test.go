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
func (t *Table[V]) Set(V) {}
type State struct { Nodes Table[Member]; Level int }
func (s *State) world() *World { return &World{facts{s, &s.Nodes.Records}} }
type facts struct { state *State; Nodes *Records[Member] }
func (f facts) Level() int { return f.state.Level }
type World struct { facts }
type transaction struct { *State; World }
type planner struct { World; pen *transaction }
type command interface { apply(*World) }
type raise struct{}
func (raise) apply(w *World) { w.state.Level++ }
func Plan(s *State) { (&planner{World: *s.world()}).plan(raise{}) }
func (p *planner) plan(c command) {
	c.apply(&p.World)
	for _, n := range p.Nodes.rows { n.Left = true; sort.Strings(n.Names); delete(n.By, ""); n.By[""] = 1 }
	n := *p.Nodes.rows[0]
	n.Left = false
	n.Names[0] = ""
	p.pen.Nodes.Set(n)
	_ = p.Level()
}
func unreached(s *State) { s.Level++ }
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
	w := newWarden(typeCheck(t, dirty, exports))
	wrong := strings.Join(w.inspect(), "\n")
	for _, what := range []string{
		"16:32: apply is reached from Plan and holds the State",
		"16:32: apply is reached from Plan and changes what",
		"20:35: plan is reached from Plan and assigns",
		"sort.Strings",
		"deletes what",
		"20:91: plan is reached from Plan and assigns",
		"23:2: plan is reached from Plan and assigns",
		"Set is reached from Plan and belongs to Table",
		"planner.pen is a transaction",
		"24:2: plan is reached from Plan and holds a transaction",
	} {
		if !strings.Contains(wrong, what) {
			t.Errorf("the warden did not see: %s\n%s", what, wrong)
		}
	}
	for _, what := range []string{":9:", ":11:", ":22:", ":25:", ":27:"} {
		if strings.Contains(wrong, what) {
			t.Errorf("the warden sees what is right, at %s\n%s", what, wrong)
		}
	}
}
