package tryout

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

type candidate = cluster.Candidate

func nearestService(parsed config.Parsed, given string) string {
	if !strings.Contains(given, ":") {
		given = "service:" + given
	}
	return "." + nearest.Hint(given, slices.Sorted(maps.Keys(parsed.Document.Services)))
}

func testTree(c *urfave.Context, out io.Writer) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return command.Usage("test tree needs a FILE, and may have a SERVICE")
	}
	parsed, err := rehearsed(c.Args().First())
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(parsed.Document.Services))
	if c.NArg() == 2 {
		name, err := serviceNamed(parsed, c.Args().Get(1))
		if err != nil {
			return err
		}
		names = []string{name}
	}
	for _, name := range names {
		printTree(out, parsed.Document.Services[name])
	}
	return nil
}

func printTree(out io.Writer, spec resources.Spec) {
	text := spec.Name
	if spec.Domain != "" {
		text += ", domain " + spec.Domain
	}
	fmt.Fprintln(out, text)
	if spec.Kind() == resources.KindVM {
		fmt.Fprintf(out, "  one VM, UUID %s\n", spec.UUID)
		return
	}
	starts, stops := resources.StartOrder(spec.Tree), resources.StopOrder(spec.Tree)
	for n, p := range starts {
		fmt.Fprintf(out, "%3d. %s%s\n", n+1, strings.Repeat("  ", p.Depth), resourceText(p.Resource))
	}
	if !opposite(starts, stops) {
		fmt.Fprintln(out, "  and stops in this order:")
		for n, p := range stops {
			fmt.Fprintf(out, "%3d. %s\n", n+1, p.Resource.Label())
		}
	}
}

// opposite reports whether the stop goes the way of the start backwards.
func opposite(starts, stops []resources.Placed) bool {
	for n := range starts {
		if starts[n].Path != stops[len(stops)-1-n].Path {
			return false
		}
	}
	return true
}

func resourceText(r resources.Resource) string {
	text := r.Label()
	if r.Shared {
		text += " (shared)"
	}
	if r.Subtree != resources.Critical {
		text += ", " + string(r.Subtree)
	}
	if parameters := parametersText(r.Parameters); parameters != "" {
		text += ": " + parameters
	}
	return text
}

// parametersText writes parameters in one order, without secrets.
func parametersText(parameters map[string]string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters[name]
		if fence.IsSecret(name, value) {
			value = rewrite.Mask
		}
		texts = append(texts, name+"="+value)
	}
	return strings.Join(texts, " ")
}

// testDelta prints what changes, and for each service made of resources the
// steps that a node which runs it would take.
func testDelta(c *urfave.Context, out io.Writer) error {
	if c.NArg() != 2 {
		return command.Usage("test delta needs two files, OLD and NEW")
	}
	old, err := rehearsed(c.Args().First())
	if err != nil {
		return err
	}
	new, err := rehearsed(c.Args().Get(1))
	if err != nil {
		return err
	}
	lines := config.Plan(old.Document, new.Document)
	for _, effect := range config.Effects {
		shown := false
		for _, line := range lines {
			if line.Effect != effect {
				continue
			}
			if !shown {
				fmt.Fprintf(out, "%s:\n", effect)
				shown = true
			}
			fmt.Fprint(out, cli.Wrap(line.Text, "  ", "    ", cli.ScreenOf(os.Stdout).Width))
		}
	}
	if len(lines) == 0 {
		fmt.Fprintln(out, "nothing changes")
	}
	library, err := agentLibrary(c)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(new.Document.Services)) {
		before, was := old.Document.Services[name]
		after := new.Document.Services[name]
		if was && after.Kind() == resources.KindService {
			printSteps(out, name, resources.Delta(before.Tree, after.Tree, library.reloadable(c.Context)))
		}
	}
	return nil
}

func printSteps(out io.Writer, name string, change resources.Change) {
	if change.None() {
		return
	}
	fmt.Fprintf(out, "steps where %s runs:\n", name)
	step := 0
	for _, part := range []struct {
		verb   string
		placed []resources.Placed
	}{{"stop", change.Stop}, {"start", change.Start}, {"reload", change.Reload}} {
		for _, p := range part.placed {
			step++
			fmt.Fprintf(out, "%3d. %s %s\n", step, part.verb, p.Resource.Label())
		}
	}
}
