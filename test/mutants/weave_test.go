package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/test/mutants/breaks"
)

// woolly has every shape of function that a mutant may change.
const woolly = `package main

import "fmt"

type box[T any] struct{ of T }

func (b box[T]) get(_ int, more ...int) (sum int) { return len(more) }

func pick[T any, U any](t T, _ U) T { return t }

func (box[T]) say(string) { fmt.Println("said") }

// sum is counted down.
func sum(n int) int {
	if n == 0 {
		return 0
	}
	return n + sum(n-1)
}

var limit = 3

func main() {
	b := box[int]{}
	fmt.Println(b.get(1, 2, 3), pick("a", 1), sum(limit))
	b.say("")
}
`

// TestWovenMutantsAreTakenOneAtATime weaves a program, and runs it as it is and as each mutant.
func TestWovenMutantsAreTakenOneAtATime(t *testing.T) {
	root, folder := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module woolly\n\ngo 1.24\n", "main.go": woolly} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change := func(name, old, with string) breaks.Mutant {
		return breaks.Mutant{Name: name, Edits: []breaks.Edit{{File: "main.go", Old: old, New: with}}}
	}
	w, err := weave(root, folder, []breaks.Mutant{
		change("get", "return len(more)", "return -len(more)"),
		change("pick", "return t }", "var none T; return none }"),
		change("say", `"said"`, `"never"`),
		change("sum", "return n + sum(n-1)", "return n * sum(n-1)"),
		change("sum-other", "return 0", "return 1"),
		change("limit", "limit = 3", "limit = 4"),
		change("main", `b.say("")`, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "woolly")
	build := exec.Command("go", "build", "-overlay", w.list, "-o", binary, ".")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for mutant, want := range map[string]string{"": "2 a 6 said", "get": "-2 a 6 said", "pick": "2  6 said",
		"say": "2 a 6 never", "sum": "2 a 0 said", "sum-other": "2 a 7 said"} {
		run := exec.Command(binary)
		run.Env = append(os.Environ(), wovenName+"="+mutant)
		output, err := run.CombinedOutput()
		if got := strings.ReplaceAll(strings.TrimSpace(string(output)), "\n", " "); err != nil || got != want {
			t.Errorf("as %q it says %q (%v), want %q", mutant, got, err, want)
		}
		if mutant != "" && !w.names[mutant] {
			t.Errorf("%s is not woven", mutant)
		}
	}
	if w.names["limit"] || w.names["main"] {
		t.Error("a variable and main cannot be woven")
	}
}

// TestMostMutantsCanBeWoven holds that a whole run builds few nets for single mutants.
func TestMostMutantsCanBeWoven(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	all := breaks.All()
	w, err := weave(root, t.TempDir(), all)
	if err != nil {
		t.Fatal(err)
	}
	var alone []string
	for _, m := range all {
		if !w.names[m.Name] {
			alone = append(alone, m.Name)
		}
	}
	if len(alone)*5 > len(all) {
		t.Errorf("%d of %d mutants have to be built alone: %v", len(alone), len(all), alone)
	}
	t.Logf("%d of %d mutants have to be built alone: %v", len(alone), len(all), alone)
}
