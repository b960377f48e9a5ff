package tryout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/resources"
)

// library are the agents of this host.
type library struct {
	node      nodefile.Node
	catalogue *dialect.Catalogue
}

// agentLibrary looks where the daemon of this host would look.
func agentLibrary(c *urfave.Context) (library, error) {
	node, err := command.NodeSettings(c)
	if err != nil {
		return library{}, err
	}
	folders := dialect.Folders{OCF: node.OCFRoot, Scratch: filepath.Join(node.RunDir, "agents")}
	return library{node: node, catalogue: &dialect.Catalogue{Folders: folders.WithDefaults()}}, nil
}

// reloadable reports whether an agent that is installed here can change a
// parameter in place.
func (l library) reloadable(ctx context.Context) func(kind, parameter string) bool {
	return func(kind, parameter string) bool {
		agent, err := l.catalogue.Find(ctx, kind)
		if err != nil {
			return false
		}
		p, known := agent.Meta.Parameter(parameter)
		return known && p.Reloadable
	}
}

// installed lists the types of agents on this host.
func (l library) installed() []string {
	var types []string
	providers, _ := filepath.Glob(filepath.Join(l.catalogue.Folders.OCF, "resource.d", "*", "*"))
	for _, path := range providers {
		types = append(types, "ocf:"+filepath.Base(filepath.Dir(path))+":"+filepath.Base(path))
	}
	old, _ := filepath.Glob(filepath.Join(l.catalogue.Folders.RGManager, "*.sh"))
	for _, path := range old {
		types = append(types, "rgmanager:"+strings.TrimSuffix(filepath.Base(path), ".sh"))
	}
	return slices.DeleteFunc(types, func(kind string) bool {
		_, err := l.catalogue.Folders.Find(kind)
		return err != nil
	})
}

func testRules(c *urfave.Context, out io.Writer) error {
	l, err := agentLibrary(c)
	if err != nil {
		return err
	}
	if c.NArg() == 0 {
		types := l.installed()
		for _, kind := range types {
			fmt.Fprintln(out, kind)
		}
		fmt.Fprintf(out, "%d agents in %s and %s; test rules TYPE prints what one says about itself. systemd: and lsb: "+
			"name units and scripts.\n",
			len(types), filepath.Join(l.catalogue.Folders.OCF, "resource.d"), l.catalogue.Folders.RGManager)
		return nil
	}
	for _, kind := range c.Args().Slice() {
		agent, err := l.catalogue.Find(c.Context, kind)
		if err != nil {
			return err
		}
		printRules(out, agent)
	}
	return nil
}

func printRules(out io.Writer, agent dialect.Agent) {
	fmt.Fprintln(out, agent.Meta.Type)
	for _, p := range agent.Meta.Parameters {
		text := "  " + p.Name
		if p.Required {
			text += ", required"
		}
		if p.Reloadable {
			text += ", changed in place"
		}
		if p.Default != "" {
			text += fmt.Sprintf(", default %q", p.Default)
		}
		fmt.Fprintln(out, text)
	}
	for _, a := range agent.Meta.Actions {
		text := "  action " + a.Name
		if a.Depth > 0 {
			text += fmt.Sprintf(" of depth %d", a.Depth)
		}
		if a.Interval > 0 {
			text += fmt.Sprintf(", each %s", a.Interval)
		}
		if a.Timeout > 0 {
			text += fmt.Sprintf(", within %s", a.Timeout)
		}
		fmt.Fprintln(out, text)
	}
}

// actHere starts, stops or looks at a service by the agents of this host.
func actHere(c *urfave.Context, action string, out io.Writer) error {
	parsed, name, err := fileAndService(c)
	if err != nil {
		return err
	}
	spec := parsed.Document.Services[name].WithDefaults()
	if spec.Kind() == resources.KindVM {
		return fmt.Errorf("%s is a VM: only a cluster starts and stops those, because it knows where else they may run", name)
	}
	l, err := agentLibrary(c)
	if err != nil {
		return err
	}
	if c.Bool("noop") {
		return l.print(c.Context, out, spec, action)
	}
	if os.Geteuid() != 0 {
		return errors.New("agents run as root; use --noop to see what would be run")
	}
	if action != "status" {
		if err := l.outsideClusters(); err != nil {
			return err
		}
	}
	return l.really(c.Context, out, spec, parsed.Blobs[spec.Definition], action)
}

// outsideClusters refuses on a member of a cluster, also while its daemon is
// down: the service may be running on another node.
func (l library) outsideClusters() error {
	member, err := membership.Folder(l.node.DataDir).Membership()
	switch {
	case errors.Is(err, membership.ErrNoCluster):
		return nil
	case err != nil:
		return fmt.Errorf("it cannot be known whether this host is a member of a cluster: %w", err)
	}
	return fmt.Errorf("this host is a member of the cluster %s, and services are the cluster's business: use "+
		"clusvcadm, or --noop", member.Cluster)
}

var actions = map[string]dialect.Action{"start": dialect.Start, "stop": dialect.Stop, "status": dialect.Check}

// print tells which programs would be run, in their order.
func (l library) print(ctx context.Context, out io.Writer, spec resources.Spec, action string) error {
	order := resources.StartOrder(spec.Tree)
	if action == "stop" {
		order = resources.StopOrder(spec.Tree)
	}
	missing := 0
	for n, p := range order {
		agent, err := l.catalogue.Find(ctx, p.Resource.Type)
		if err != nil {
			missing++
			fmt.Fprintf(out, "%3d. %s: %v\n", n+1, p.Resource.Label(), err)
			continue
		}
		request := dialect.Request{Resource: p.Resource, Action: actions[action], Node: l.node.Name}
		request.Timeout = agent.Limit(p.Resource, request.Action, resources.ResourceCheck{})
		words, has := agent.Words(request)
		if !has {
			fmt.Fprintf(out, "%3d. %s: the agent has no action %s\n", n+1, p.Resource.Label(), action)
			continue
		}
		fmt.Fprintf(out, "%3d. %s: %s, within %s\n", n+1, p.Resource.Label(), words, request.Timeout)
		if parameters := parametersText(p.Resource.Parameters); parameters != "" {
			fmt.Fprintf(out, "       %s\n", parameters)
		}
	}
	fmt.Fprintln(out, "Nothing was run but the agents' meta-data.")
	if missing > 0 {
		return fmt.Errorf("%d of %d agents cannot be run here", missing, len(order))
	}
	return nil
}

// margin is what an act may take beyond the service's own times.
const margin = 30 * time.Second

// really runs the agents. What it starts is written down beside the daemon's own
// records, so that a later stop knows it; a daemon that starts looks for itself.
func (l library) really(ctx context.Context, out io.Writer, spec resources.Spec, definition, action string) error {
	boot, err := membership.BootID(l.node)
	if err != nil {
		return err
	}
	agent, err := ocf.New(ocf.Options{Node: l.node.Name, Boot: boot, Folder: filepath.Join(l.node.RunDir, "rehearsed"),
		Folders: l.catalogue.Folders,
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, spec.StartTimeout+spec.StopTimeout+spec.DestroyTimeout+margin)
	defer cancel()
	var result agents.Result
	switch action {
	case "start":
		result = agent.Do(ctx, agents.Act{Verb: agents.VerbStart, ID: "0.0.0", Spec: spec, Definition: definition})
	case "stop":
		result = agent.Do(ctx, agents.Act{Verb: agents.VerbStop, ID: "0.0.0", Spec: spec})
	default:
		seen := agent.Look(ctx, spec)
		result = agents.Result{OK: seen.Condition == agents.Running, Source: seen.Condition, Why: seen.Evidence}
	}
	for _, phase := range result.Phases {
		fmt.Fprintf(out, "  %s\n", phase.What)
	}
	fmt.Fprintf(out, "%s: %s: %s\n", spec.Name, result.Source, result.Why)
	switch {
	case result.OK:
		return nil
	case action == "status":
		return fmt.Errorf("%s does not run here", spec.Name)
	}
	return fmt.Errorf("the %s of %s failed", action, spec.Name)
}
