package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/resources"
)

const (
	// freshWithin bounds how long the cluster is asked before what this node knows has to do: with
	// the 300 ms in which a node asks the leader for its notes, a status is answered within a second,
	// also at the moment when the leader dies.
	freshWithin = 500 * time.Millisecond
	// knownWithin bounds what a daemon answers from what it knows itself. It is longer than a second:
	// a late answer of a busy host is better than none, and a daemon that hangs is an error soon.
	knownWithin = 2 * time.Second
)

// act does what the options ask for.
func (t *tool) act(ctx context.Context, c *urfave.Context) (int, error) {
	switch {
	case c.Bool("version"):
		fmt.Fprintf(t.out, "clustat version %s\n", cli.Version)
		return 0, nil
	case c.Bool("help"):
		return 0, urfave.ShowAppHelp(c)
	case c.Args().Present():
		return exitFailure, fmt.Errorf("%w: %q is not an option", cli.ErrUsage, c.Args().First())
	case c.Bool("follow") && !c.Bool("events"):
		return exitFailure, fmt.Errorf("%w: --follow goes with --events", cli.ErrUsage)
	case c.IsSet("interval") && (c.Bool("xml") || c.Bool("json")):
		other := "-x"
		if c.Bool("json") {
			other = "--json"
		}
		return exitFailure, errors.New("Error: Options '-i' and '" + other + "' are mutually exclusive")
	}
	client, err := api.NewClient(api.Options{Socket: c.String("socket"), Host: c.String("host"),
		Identity: c.String("identity")})
	if err != nil {
		return exitFailure, err
	}
	defer client.Close()
	t.client, t.long = client, c.Bool("long")
	switch {
	case c.IsSet("why"):
		return t.why(ctx, cli.FullName(c.String("why")), c.Bool("json"))
	case c.Bool("moves"):
		return t.moves(ctx, c)
	case c.Bool("events"):
		return t.events(ctx, c)
	case c.IsSet("interval"):
		return t.repeat(ctx, c)
	}
	status, remark, err := t.status(ctx, c.Bool("fast"))
	if err != nil {
		return exitFailure, err
	}
	return t.show(c, status, remark)
}

// why explains where a service is.
func (t *tool) why(ctx context.Context, name string, asJSON bool) (int, error) {
	limited, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	explanation, err := t.client.Why(limited, name)
	var failure api.Failure
	if errors.As(err, &failure) && failure.Code == "unknown_service" {
		hint := ""
		if status, err := t.client.Status(limited, false); err == nil {
			hint = cli.ServiceHint(status, name)
		}
		return exitNotFound, fmt.Errorf("%s: Service does not exist.%s", name, hint)
	}
	if err != nil {
		return exitFailure, err
	}
	if asJSON {
		return 0, t.printJSON(explanation)
	}
	if status, err := t.client.Status(limited, false); err == nil && !status.Quorate {
		fmt.Fprintf(t.errOut, "NO QUORUM: what follows is what %s last knew; nothing is done before a majority of the "+
			"voters is in touch.\n", status.Local)
	}
	cli.LocalTexts(&explanation)
	io.WriteString(t.errOut, cli.Remark(explanation.Ground, t.screen().Width))
	if explanation.Decision != nil {
		decision := cli.InLocalTime([]cluster.Event{*explanation.Decision})[0]
		explanation.Decision = &decision
	}
	_, err = io.WriteString(t.out, cli.Why(explanation.Explanation, t.screen().Width))
	return 0, err
}

// show prints one status and returns the exit code that goes with it.
func (t *tool) show(c *urfave.Context, status api.Status, remark string) (int, error) {
	switch {
	case c.Bool("quorum"):
		return exitUnless(status.Quorate), nil
	case c.Bool("local-id"):
		local, found := cli.FindNode(status, status.Local)
		if !found {
			return exitFailure, fmt.Errorf("this node (%s) is not a member of the cluster", status.Local)
		}
		fmt.Fprintf(t.out, "0x%08x\n", local.ID)
		return 0, nil
	}
	view, code, err := viewOf(c, status)
	if err != nil {
		return code, err
	}
	screen := t.screen()
	view.Remark, view.Width, view.Terminal = remark, screen.Width, screen.Terminal && !view.Classic
	view.Colour = screen.Colour && !view.Classic
	if !c.Bool("json") {
		cli.LocalTexts(&status)
	}
	switch {
	case c.Bool("json"):
		return code, t.printJSON(pick(status, view))
	case c.Bool("xml"):
		_, err = io.WriteString(t.out, cli.StatusXML(cli.StatusInLocalTime(status), view))
	default:
		_, err = io.WriteString(t.out, cli.Status(cli.StatusInLocalTime(status), view))
	}
	return code, err
}

// viewOf reads what is to be shown; its exit code is the one that rgmanager's tool gave.
func viewOf(c *urfave.Context, status api.Status) (cli.View, int, error) {
	view, code := cli.View{Long: c.Bool("long"), Classic: c.Bool("classic")}, 0
	if name := c.String("member"); name != "" {
		node, found := cli.FindNode(status, name)
		if !found {
			return view, exitNotFound, fmt.Errorf("'%s' not in membership list.%s", name, cli.NodeHint(status, name))
		}
		view.Node, code = name, exitUnless(node.Online)
	}
	if name := c.String("service"); name != "" {
		name = cli.FullName(name)
		service, found := cli.FindService(status, name)
		if !found {
			return view, exitNotFound, fmt.Errorf("%s: Service does not exist.%s", name, cli.ServiceHint(status, name))
		}
		view.Service, view.Node, code = name, "", serviceExit(service)
	}
	return view, code, nil
}

func exitUnless(fine bool) int {
	if fine {
		return 0
	}
	return exitFailure
}

// serviceExit is 0 for what runs or is on its way, and the number of the state otherwise.
func serviceExit(service api.Service) int {
	switch resources.State(service.State) {
	case resources.Starting, resources.Started, resources.Stopping:
		return 0
	}
	return service.State
}

// status asks the cluster, and takes what this node knows where the cluster cannot answer; the
// remark says so.
func (t *tool) status(ctx context.Context, fast bool) (api.Status, string, error) {
	if fast {
		status, err := t.knownStatus(ctx)
		return status, "", err
	}
	limited, cancel := context.WithTimeout(ctx, freshWithin)
	status, err := t.statusOf(limited, true)
	cancel()
	if err == nil || errors.Is(err, api.ErrNoDaemon) || ctx.Err() != nil {
		return status, "", err
	}
	why := err
	status, err = t.knownStatus(ctx)
	if err != nil {
		return status, "", err
	}
	remark := ""
	if status.Quorate {
		remark = "The cluster could not be asked (" + why.Error() + "). Shown is what " + status.Local + " knows."
	}
	return status, remark, nil
}

// knownStatus is what the node that is asked knows by itself.
func (t *tool) knownStatus(ctx context.Context) (api.Status, error) {
	limited, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	return t.statusOf(limited, false)
}

// warnIfNoQuorum says, before something is shown, that it may be out of date.
func (t *tool) warnIfNoQuorum(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	if status, err := t.client.Status(limited, false); err == nil {
		io.WriteString(t.errOut, cli.NoQuorum(status))
	}
}

// statusOf asks for the status; at length, where services would go next is part of it.
func (t *tool) statusOf(ctx context.Context, fresh bool) (api.Status, error) {
	if t.long {
		return t.client.StatusWithNext(ctx, fresh)
	}
	return t.client.Status(ctx, fresh)
}

// pick leaves only what was asked for in the status.
func pick(status api.Status, view cli.View) api.Status {
	if view.Node != "" {
		node, _ := cli.FindNode(status, view.Node)
		status.Nodes, status.Services = []api.Node{node}, nil
	}
	if view.Service != "" {
		service, _ := cli.FindService(status, view.Service)
		status.Services, status.Nodes = []api.Service{service}, nil
	}
	return status
}

func (t *tool) printJSON(value any) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// interval reads -i.
func interval(text string) (time.Duration, error) {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 {
		return 0, fmt.Errorf("%w: -i needs a whole number of seconds, 1 or more, not %q", cli.ErrUsage, text)
	}
	return time.Duration(min(seconds, 86400)) * time.Second, nil
}
