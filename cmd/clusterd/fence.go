package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/nearest"
)

// errUndefined marks a node that no device could fence: fence_node's exit code 2.
var errUndefined = errors.New("no fence device is defined")

// How often the end of something is asked for, and how long a fence is waited for.
const (
	askEvery  = 200 * time.Millisecond
	fenceWait = 3 * time.Minute
)

func fenceCommand() *urfave.Command {
	asJSON := &urfave.BoolFlag{Name: "json", Usage: "write JSON"}
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	return &urfave.Command{
		Name: "fence", Usage: "check and test fence devices, fence a node, show what was fenced",
		Description: "Exit codes are those of fence_node: 0 done, 1 failed or not finished in time, 2 no fence device " +
			"is defined, or wrong use.",
		Subcommands: []*urfave.Command{
			{Name: "list", Usage: "the levels and devices of each node, as declared", ArgsUsage: "[NODE]", Action: fenceList,
				Flags: []urfave.Flag{asJSON}},
			{Name: "status", Usage: "show the last check and use of each device, and nodes that cannot be fenced",
				ArgsUsage: "[NODE]", Action: fenceStatus, Flags: []urfave.Flag{asJSON}},
			{Name: "node", Usage: "cut a node's power, give it power, or both", ArgsUsage: "NODE", Action: fenceNode,
				Flags: []urfave.Flag{
					&urfave.BoolFlag{Name: "off", Usage: "power it off; its services start elsewhere once that is confirmed"},
					&urfave.BoolFlag{Name: "on", Usage: "power it on; best effort"},
					&urfave.BoolFlag{Name: "reboot", Usage: "power it off, wait for the confirmation, then power it on"},
					reason, command.YesFlag(),
					&urfave.DurationFlag{Name: "wait", Usage: "how long to wait for the end; 0 does not wait, " +
						"and what was begun goes on", Value: fenceWait}, asJSON}},
			{Name: "test", Aliases: []string{"drill"},
				Usage: "drill: empty a node, cut its power, see it silent, boot it, see it back", ArgsUsage: "NODE",
				Action: fenceTest, Flags: []urfave.Flag{
					&urfave.IntFlag{Name: "level", Usage: "the fence level to test", Value: 1},
					&urfave.BoolFlag{Name: "yes", Usage: "do not ask for the node's name"},
					&urfave.DurationFlag{Name: "wait", Usage: "how long to wait for the end", Value: 40 * time.Minute}, asJSON}},
			{Name: "confirm", Usage: "say that a lost node's machine is off, where no device can", ArgsUsage: "NODE",
				Action: fenceConfirm, Flags: []urfave.Flag{reason, asJSON}},
			{Name: "history", Usage: "who was fenced, by whom, why, how, and how long it took", ArgsUsage: "[NODE]",
				Action: fenceHistory, Flags: []urfave.Flag{asJSON}},
			{Name: "disarm", Usage: "suspend fencing for a while, to work on the network or the fence devices",
				Action: fenceDisarm, Flags: []urfave.Flag{
					&urfave.DurationFlag{Name: "for", Usage: "how long, for example 30m; required, from 1m to 24h"}, reason, asJSON}},
			{Name: "arm", Usage: "resume fencing", Action: fenceArm, Flags: []urfave.Flag{asJSON}},
		},
	}
}

// fenceStatusOf asks for the status, of one node where one is named.
func fenceStatusOf(c *urfave.Context) (api.FenceStatus, error) {
	client, err := command.Connect(c)
	if err != nil {
		return api.FenceStatus{}, err
	}
	command.WarnIfNoQuorum(c, client)
	status, err := client.Fence(c.Context)
	name := c.Args().First()
	if err != nil || name == "" {
		return status, err
	}
	node, err := fenceNodeIn(status, name)
	status.Nodes = []api.FenceNode{node}
	return status, err
}

func fenceNodeIn(status api.FenceStatus, name string) (api.FenceNode, error) {
	for _, n := range status.Nodes {
		if n.Node == name {
			return n, nil
		}
	}
	names := make([]string, 0, len(status.Nodes))
	for _, n := range status.Nodes {
		names = append(names, n.Node)
	}
	return api.FenceNode{}, fmt.Errorf("there is no node %s.%s", name, nearest.Hint(name, names))
}

func fenceList(c *urfave.Context) error {
	status, err := fenceStatusOf(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(cli.FenceDeclared(status))
	}
	fmt.Print(cli.FenceList(status))
	return nil
}

func fenceStatus(c *urfave.Context) error {
	status, err := fenceStatusOf(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(status)
	}
	fmt.Print(cli.FenceStatus(cli.FenceInLocalTime(status), cli.ScreenOf(os.Stdout).Width))
	return nil
}

func fenceHistory(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	history, err := client.FenceHistory(c.Context, c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(history)
	}
	fmt.Print(cli.FenceHistory(cli.FenceHistoryInLocalTime(history), cli.ScreenOf(os.Stdout).Width))
	return nil
}

// fenceByHand sends what was asked for, and says so.
func fenceByHand(c *urfave.Context, request api.FenceRequest, done string) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	request.ID, request.Reason = api.NewRequestID(), c.String("reason")
	reply, err := client.FenceByHand(c.Context, request)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(reply)
	}
	fmt.Println(done)
	return nil
}

// fenceNode does by hand what the cluster does by itself, and waits for its end.
func fenceNode(c *urfave.Context) error {
	name, err := command.Argument(c, "a NODE")
	if err != nil {
		return err
	}
	op := ""
	for _, word := range []string{api.FenceOff, api.FenceOn, api.FenceReboot} {
		if c.Bool(word) && op != "" {
			return command.Usage("fence node %s: --%s and --%s exclude each other", name, op, word)
		} else if c.Bool(word) {
			op = word
		}
	}
	if op == "" {
		return command.Usage("fence node %s: say --off, --on or --reboot; off and reboot really cut its power, and its "+
			"services start elsewhere", name)
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	if err := definedFor(c.Context, client, name); err != nil {
		return err
	}
	if op != api.FenceOn {
		if err := command.Agreed(c, powerQuestion(c.Context, client, name)); err != nil {
			return err
		}
	}
	asked := api.FenceRequest{Op: op, Node: name}
	switch {
	case op == api.FenceOn:
		return fenceByHand(c, asked, name+" was given power; it takes services again once it has booted.")
	case c.Duration("wait") == 0:
		return fenceByHand(c, asked, "Fencing of "+name+" was requested; watch it with clustat --events.")
	}
	asked.ID, asked.Reason = api.NewRequestID(), c.String("reason")
	before, err := lastRecord(c.Context, client, name)
	if err != nil {
		return err
	}
	if _, err := client.FenceByHand(c.Context, asked); err != nil {
		return err
	}
	return fenceEnd(c, client, name, before)
}

// powerQuestion names what ends when a node's power is cut by hand.
func powerQuestion(ctx context.Context, client *api.Client, name string) string {
	var held []string
	if status, err := client.Status(ctx, false); err == nil {
		for _, s := range status.Services {
			if s.Owner == name {
				held = append(held, s.Name)
			}
		}
	}
	if len(held) == 0 {
		return "The power of " + name + " is cut; no service is known to run there. Go on?"
	}
	return fmt.Sprintf("The power of %s is cut: %s ends there and starts elsewhere. Go on?", name, strings.Join(held,
		", "))
}

// definedFor tells a node that no device could fence from one whose devices fail.
func definedFor(ctx context.Context, client *api.Client, name string) error {
	status, err := client.Fence(ctx)
	if err != nil {
		return err
	}
	node, err := fenceNodeIn(status, name)
	if err == nil && len(node.Devices) == 0 {
		err = fmt.Errorf("%w for %s; write it into the document, or make sure that the machine is off and say so with "+
			"`clusterd fence confirm %s`", errUndefined, name, name)
	}
	return err
}

// lastRecord is the index of the newest closed fence intent of a node.
func lastRecord(ctx context.Context, client *api.Client, name string) (uint64, error) {
	history, err := client.FenceHistory(ctx, name)
	if err != nil || len(history.Records) == 0 {
		return 0, err
	}
	return history.Records[len(history.Records)-1].Index, nil
}

// fenceEnd waits until the intent is closed. A daemon that is away for a moment
// is asked again.
func fenceEnd(c *urfave.Context, client *api.Client, name string, before uint64) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("wait"))
	defer cancel()
	for {
		history, err := client.FenceHistory(ctx, name)
		if n := len(history.Records); err == nil && n > 0 && history.Records[n-1].Index > before {
			if c.Bool("json") {
				return command.PrintJSON(history.Records[n-1])
			}
			last := cli.FenceHistoryInLocalTime(api.FenceHistory{Records: history.Records[n-1:]})
			fmt.Print(cli.FenceHistory(last, cli.ScreenOf(os.Stdout).Width))
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not confirmed off after %s; the cluster goes on trying: see `clusterd fence status "+
				"%s` and `clustat --events -m %s`", name, c.Duration("wait"), name, name)
		case <-time.After(askEvery):
		}
	}
}

// fenceConfirm takes an operator's word, typed twice: a wrong one would let a VM
// run twice.
func fenceConfirm(c *urfave.Context) error {
	name, err := command.Argument(c, "a NODE")
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	status, err := client.Fence(c.Context)
	if err != nil {
		return err
	}
	if _, err := fenceNodeIn(status, name); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "If %s still runs, its VMs will run twice and corrupt their disks.\nMake sure that the "+
		"machine has no power. Type its name to confirm: ", name)
	if err := typed(name); err != nil {
		return err
	}
	return fenceByHand(c, api.FenceRequest{Op: api.FenceConfirm, Node: name},
		name+" counts as off; what it held is started elsewhere.")
}

// typed makes sure that somebody means the node they name.
func typed(name string) error {
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Fprintln(os.Stderr)
	if strings.TrimSpace(line) != name {
		return fmt.Errorf("%q was typed, not %q; nothing was changed", strings.TrimSpace(line), name)
	}
	return nil
}

func fenceDisarm(c *urfave.Context) error {
	span := c.Duration("for")
	if span == 0 || c.NArg() > 0 {
		return command.Usage("fence disarm needs to know for how long: clusterd fence disarm --for 30m")
	}
	return fenceByHand(c, api.FenceRequest{Op: api.FenceDisarm, For: span},
		fmt.Sprintf("Nothing is fenced for %s: what a lost node held stays down. `clusterd fence arm` ends that.", span))
}

func fenceArm(c *urfave.Context) error {
	if c.NArg() > 0 {
		return command.Usage("fence arm takes no NODE: it is about the whole cluster")
	}
	return fenceByHand(c, api.FenceRequest{Op: api.FenceArm}, "Fencing is armed.")
}
