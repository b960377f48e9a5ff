package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// act checks what can be checked before anything is sent, and carries the wish out.
func act(ctx context.Context, c *urfave.Context, out, errOut io.Writer, screen cli.Screen) (int, error) {
	if c.Bool("version") {
		fmt.Fprintf(out, "clusvcadm version %s\n", cli.Version)
		return 0, nil
	}
	if c.Bool("help") {
		return 1, urfave.ShowAppHelp(c)
	}
	if c.Bool("quiet") {
		out, screen.Terminal = io.Discard, false
	}
	w, err := wishOf(c)
	if err != nil {
		return 1, err
	}
	if w.action == "" {
		return 1, urfave.ShowAppHelp(c)
	}
	client, err := api.NewClient(api.Options{Socket: c.String("socket"), Host: c.String("host"),
		Identity: c.String("identity")})
	if err != nil {
		return 1, err
	}
	defer client.Close()
	if lockActions[w.action] != "" {
		return lockDialogue{wish: w, client: client, out: out, errOut: errOut, screen: screen}.run(ctx), nil
	}
	if code, err := check(ctx, client, &w, errOut); err != nil {
		return code, err
	}
	d := dialogue{wish: w, client: client, out: out, screen: screen}
	return d.run(ctx), nil
}

// wishOf reads the options.
func wishOf(c *urfave.Context) (wish, error) {
	w := wish{member: c.String("member"), wait: c.Duration("wait"), json: c.Bool("json"), dryRun: c.Bool("dry-run")}
	if c.Args().Present() {
		return wish{}, fmt.Errorf("%w: %q is not an option; write clusvcadm -e SERVICE, for example", cli.ErrUsage,
			c.Args().First())
	}
	for _, name := range actions {
		if c.IsSet(name) {
			w.action = name
		}
	}
	if c.Bool("failover-domain") && w.member != "" {
		return wish{}, errors.New("Cannot use '-F' with '-n' or '-m'")
	}
	if c.IsSet("for") && w.action != "freeze" {
		return wish{}, fmt.Errorf("%w: --for goes with -Z: it says how long the freeze lasts", cli.ErrUsage)
	}
	if w.action == "" || lockActions[w.action] != "" {
		w.request.Reason = c.String("reason")
		return w, nil
	}
	if c.String(w.action) == "" {
		return wish{}, fmt.Errorf("%w: no service was named", cli.ErrUsage)
	}
	if w.action == "migrate" && w.member == "" {
		return wish{}, errors.New("Migration requires a target cluster member")
	}
	if c.IsSet("wait") && w.wait < 0 {
		return wish{}, fmt.Errorf("%w: --wait cannot be negative", cli.ErrUsage)
	}
	if c.IsSet("for") && c.Duration("for") < time.Second {
		return wish{}, fmt.Errorf("%w: --for needs a time of at least a second, for example 2h", cli.ErrUsage)
	}
	w.request = api.Request{ID: api.NewRequestID(), Op: cluster.Operation(w.action),
		Service: cli.FullName(c.String(w.action)), Reason: c.String("reason"), For: c.Duration("for"),
		DeclaredDisks: c.Bool("declared-disks")}
	switch w.action {
	case "enable", "relocate", "migrate":
		w.request.Node = w.member
	}
	return w, w.limits(c.StringSlice("set"))
}

// limits reads how a move is to be made.
func (w *wish) limits(words []string) error {
	switch {
	case w.action == "tune" && len(words) == 0:
		return fmt.Errorf("%w: --tune needs --set, for example --set bandwidth=200", cli.ErrUsage)
	case len(words) > 0 && w.action != "migrate" && w.action != "tune":
		return fmt.Errorf("%w: --set goes with -M and --tune: it says how a VM is moved live", cli.ErrUsage)
	}
	for _, word := range words {
		if err := w.request.Migration.Set(word); err != nil {
			return fmt.Errorf("%w: --set %w", cli.ErrUsage, err)
		}
	}
	if w.action == "tune" && w.request.Migration.Fixed() {
		return fmt.Errorf("%w: --tune sets bandwidth and downtime; the rest is chosen when a move begins", cli.ErrUsage)
	}
	return nil
}

// check refuses what names nothing, before anything is sent. What this node last knew is enough
// to say that a name is known; before it is called unknown, the cluster itself is asked.
func check(ctx context.Context, client *api.Client, w *wish, errOut io.Writer) (int, error) {
	status, err := client.Status(ctx, false)
	if err != nil {
		return exitOf(err), err
	}
	if !known(status, *w) {
		if fresh, err := client.Status(ctx, true); err == nil {
			status = fresh
		}
	}
	if w.member != "" {
		node, found := cli.FindNode(status, w.member)
		switch {
		case !found:
			return 1, fmt.Errorf("'%s' not in membership list%s", w.member, dotted(cli.NodeHint(status, w.member)))
		case !node.Online && w.action == "migrate":
			return 1, fmt.Errorf("'%s' is offline", w.member)
		}
	}
	service, found := cli.FindService(status, w.request.Service)
	if !found {
		return cli.ExitCode(cli.CodeNoService), fmt.Errorf("%s: %s.%s", w.request.Service,
			cli.CodeText(cli.CodeNoService), cli.ServiceHint(status, w.request.Service))
	}
	warnWithoutQuorum(status, errOut)
	io.WriteString(errOut, coldWarning(*w, service))
	return 0, nil
}

// coldWarning says before a service is started on another node than it was on what it leaves
// behind; nothing where it leaves nothing. What is off left its state where it ran last.
func coldWarning(w wish, service api.Service) string {
	at, place := cmp.Or(service.Owner, service.LastOwner), "another node"
	if w.member != "" {
		place = w.member
	}
	var does string
	switch {
	case service.Stays == "" || at == "" || w.member == at:
		return ""
	case w.action == "relocate" && service.Owner != "":
		does = "-r stops " + service.Name + " and starts it on " + place
	case w.action == "relocate" && w.member == "":
		does = "-r may start " + service.Name + " on another node than " + at
	case w.action == "relocate":
		does = "-r starts " + service.Name + " on " + place
	case w.action == "enable" && w.member != "" && service.Owner == "":
		does = "-e starts " + service.Name + " on " + place
	default:
		return ""
	}
	text := "Warning: " + does + " without the contents of " + service.Stays + ", unless that is shared storage."
	if service.Owner != "" {
		text += " A live move (-M) takes that along where one is possible."
	}
	return cli.Wrap(text, "", "", 80)
}

// warnWithoutQuorum says that the request waits for a leader: it gives no sign of life meanwhile.
func warnWithoutQuorum(status api.Status, errOut io.Writer) {
	if !status.Quorate {
		fmt.Fprintf(errOut, "%s sees no quorum now; waiting some seconds for a leader.\n", status.Local)
	}
}

func known(status api.Status, w wish) bool {
	_, service := cli.FindService(status, w.request.Service)
	node := w.member == ""
	if !node {
		found, there := cli.FindNode(status, w.member)
		node = there && (found.Online || w.action != "migrate")
	}
	return service && node
}

// dotted ends the sentence before a hint.
func dotted(hint string) string {
	if hint == "" {
		return ""
	}
	return "." + hint
}

// refusedJSON prints an error from before anything was sent as the answer of a request would be.
func refusedJSON(out io.Writer, err error, exit int) int {
	code := cli.CodeOf(err)
	if code == cli.CodeFailure && exit > 128 { // As cli.ExitCode made it.
		code = exit - 256
	}
	problem := err.Error()
	if advice := api.Advice(err); advice != "" {
		problem += "\n" + advice
	}
	d := dialogue{out: out}
	return d.printJSON(api.Reply{Code: code, Text: cli.CodeText(code)}, exit, problem)
}

// exitOf is 1 for a daemon that cannot be reached, as rgmanager's tool had it, and the return
// code's otherwise.
func exitOf(err error) int {
	var failure api.Failure
	if errors.As(err, &failure) {
		return cli.ExitCode(cli.CodeOf(err))
	}
	return 1
}
