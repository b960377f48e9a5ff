package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// orderCommands are the standing orders about nodes.
func orderCommands(reason urfave.Flag) []*urfave.Command {
	plan := command.DryRunFlags()
	deadline := &urfave.DurationFlag{Name: "deadline",
		Usage: "after `TIME`, stop what could not move live, and start it elsewhere"}
	wait := &urfave.DurationFlag{Name: "wait",
		Usage: "how long to wait until no service is left on it; the order stays in force", Value: 30 * time.Minute}
	order := func(kind cluster.OrderKind) urfave.ActionFunc {
		return func(c *urfave.Context) error { return orderNode(c, kind) }
	}
	back := func(c *urfave.Context) error {
		name, err := command.Argument(c, "a NODE")
		if err != nil {
			return err
		}
		client, err := command.Connect(c)
		if err != nil {
			return err
		}
		before, unknown := client.Status(c.Context, false)
		if _, err := client.ChangeNodes(c.Context, api.NodeRequest{ID: api.NewRequestID(), Op: "return", Node: name,
			Reason: c.String("reason")}); err != nil {
			return err
		}
		after, err := client.Status(c.Context, false)
		fmt.Println(returnText(before, after, name, unknown == nil && err == nil))
		return nil
	}
	return []*urfave.Command{
		{Name: "standby", Usage: "keep new services off a node and live-migrate the ones on it where possible; it " +
			"stays a member", ArgsUsage: "NODE",
			Flags: append(plan, wait, reason), Action: order(cluster.OrderStandby)},
		{Name: "drain", Usage: "empty a node: show the plan, move its services away, tell how far it is", ArgsUsage: "NODE",
			Flags: append(plan, deadline, wait, reason), Action: order(cluster.OrderDrain)},
		{Name: "maintenance", Usage: "drain a node, after which it may be switched off and is not fenced", ArgsUsage: "NODE",
			Flags: append(plan, deadline, wait, reason), Action: order(cluster.OrderMaintenance)},
		{Name: "return", Aliases: []string{"unstandby"},
			Usage: "end a node's standby, drain or maintenance; what was moved away for it comes back", ArgsUsage: "NODE",
			Flags: []urfave.Flag{reason}, Action: back},
	}
}

// orderNode shows the plan of an order, gives it, and tells how far it is.
func orderNode(c *urfave.Context, kind cluster.OrderKind) error {
	name, err := command.Argument(c, "a NODE")
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	within := c.Duration("deadline")
	plan, err := client.DrainPlan(c.Context, name, string(kind), within)
	if err != nil {
		return err
	}
	cli.LocalTexts(&plan)
	fmt.Print(cli.Remark(plan.Ground, 80) + planText(plan))
	if command.DryRun(c) {
		return nil
	}
	if _, err := client.ChangeNodes(c.Context, api.NodeRequest{ID: api.NewRequestID(), Op: string(kind), Node: name,
		Reason: c.String("reason"), Within: within}); err != nil {
		return err
	}
	return waitEmpty(c.Context, client, name, c.Duration("wait"))
}

// widestService bounds the column of names in a plan.
const widestService = 64

// planText is a drain's plan as an administrator reads it.
func planText(plan api.DrainReply) string {
	var out strings.Builder
	if len(plan.Steps) == 0 {
		return fmt.Sprintf("Nothing runs on %s.\n", plan.Node)
	}
	wide := 30
	for _, step := range plan.Steps {
		wide = min(max(wide, len([]rune(step.Service))), widestService)
	}
	fmt.Fprintf(&out, "%-*s %-8s %s\n", wide, "SERVICE", "METHOD", "TO")
	for _, step := range plan.Steps {
		target := step.Target
		if step.Deadline {
			target += " (at the deadline)"
		}
		if step.Method == cluster.MethodStays {
			target = ""
		}
		fmt.Fprintln(&out, strings.TrimRight(fmt.Sprintf("%-*s %-8s %s", wide, step.Service, step.Method, target), " "))
		for _, blocker := range step.Blockers {
			out.WriteString(cli.Wrap(blocker.String(), "    - ", "      ", 80))
		}
		for _, warning := range step.Warnings {
			out.WriteString(cli.Wrap(warning.String(), "    ! ", "      ", 80))
		}
		if !step.Next.IsZero() {
			out.WriteString(cli.Wrap(step.Next.String(), "    -> ", "       ", 80))
		}
	}
	return out.String()
}

// waitEmpty tells how far an order is until the node holds nothing, or until
// only what a person has to help with is left.
func waitEmpty(ctx context.Context, client *api.Client, name string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told, failed := "", error(nil)
	for {
		status, err := client.Status(ctx, false)
		failed = unlessOver(ctx, err, failed)
		if err == nil {
			order := orderIn(status, name)
			switch {
			case order == nil:
				return fmt.Errorf("the order about %s was taken back", name)
			case order.Empty:
				fmt.Println(emptyText(status, name))
				return nil
			}
			if text := progressOf(status, order.Holds); text != told {
				fmt.Print(text)
				told = text
			}
		}
		select {
		case <-ctx.Done():
			if failed != nil {
				return unasked(name, wait, failed)
			}
			return fmt.Errorf("node %s still holds services after %s; the order stays in force, see `clustat` for "+
				"what it waits for", name, wait)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// returnText says what the end of an order came to, by what was known before and after it. An
// order ends whatever the node is; that it takes services is another matter.
func returnText(before, after api.Status, name string, told bool) string {
	const home = "What was moved away for the order comes back, except where somebody has placed it since."
	if !told {
		return fmt.Sprintf("Node %s is no longer under an order; what else keeps services from it could not be asked: "+
			"see `clustat`.", name)
	}
	was, _ := cli.FindNode(before, name)
	n, known := cli.FindNode(after, name)
	what, away := takesNo(after, n)
	switch {
	case !known:
		return fmt.Sprintf("Node %s is no longer a member.", name)
	case n.Order != nil:
		return fmt.Sprintf("Node %s was given another order meanwhile: %s.", name, n.Order.Order)
	case was.Order == nil && away == "":
		return fmt.Sprintf("Node %s is under no order; nothing was changed.", name)
	case was.Order == nil:
		return fmt.Sprintf("Node %s is under no order; nothing was changed. It takes no %s: %s.", name, what, away)
	case away == "":
		return fmt.Sprintf("Node %s takes services again. %s", name, home)
	}
	return fmt.Sprintf("The order about node %s is over. It takes no %s yet: %s. %s", name, what, away, home)
}

// emptyText says of a node that holds nothing under its order what lets it take services again.
func emptyText(status api.Status, name string) string {
	n, _ := cli.FindNode(status, name)
	text := fmt.Sprintf("Node %s holds nothing. `clusterd node return %s` ", name, name)
	if what, away := takesNo(status, n); away != "" {
		return text + fmt.Sprintf("ends the order; besides, it takes no %s: %s.", what, away)
	}
	return text + "lets it take services again."
}

// takesNo says what a node does not take, and why, whatever was ordered for it; "" where it takes
// everything.
func takesNo(status api.Status, n api.Node) (what, why string) {
	const services = "services"
	switch cluster.NodeState(n.State) {
	case cluster.NodeOnline:
		if status.Lock != nil && status.Lock.Locked {
			return services, "the cluster is locked, so nothing is started"
		}
		if !n.Hung.IsZero() {
			return "VMs", "its hypervisor does not answer (" + n.Hung.String() + ")"
		}
		return "", ""
	case "fencing":
		return services, "it is being fenced"
	case cluster.NodeLeft:
		return services, "it has left; restart clusterd there to bring it back"
	case cluster.NodeLeaving:
		return services, "it is leaving; when it has left, restart clusterd there to bring it back"
	}
	return services, "it is " + n.State
}

func orderIn(status api.Status, name string) *api.NodeOrder {
	for _, n := range status.Nodes {
		if n.Name == name {
			return n.Order
		}
	}
	return nil
}

// progressOf is one line per service that is still there.
func progressOf(status api.Status, holds []string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s still there:\n", counted(len(holds)))
	for _, s := range status.Services {
		for _, name := range holds {
			if s.Name != name {
				continue
			}
			text := s.StateText
			for _, note := range status.Notes {
				if note.Subject == name {
					text += ": " + note.Why.String()
				}
			}
			out.WriteString(cli.Wrap(text, "  "+name+" ", "      ", 80))
		}
	}
	return out.String()
}

func counted(services int) string {
	if services == 1 {
		return "1 service is"
	}
	return fmt.Sprintf("%d services are", services)
}

// clusterCommand stops and starts everything in order.
func clusterCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	return &urfave.Command{
		Name: "cluster", Usage: "stop all services in order, and start them again",
		Subcommands: []*urfave.Command{
			{Name: "stop", Usage: "stop all services in reverse start order; what is enabled is remembered, also " +
				"over a power cut",
				Flags: append(command.DryRunFlags(), command.YesFlag(), reason,
					&urfave.DurationFlag{Name: "wait", Usage: "how long to wait until everything is stopped",
						Value: 30 * time.Minute}),
				Action: stopCluster},
			{Name: "start", Usage: "start everything again that ran, in order", Flags: []urfave.Flag{reason},
				Action: func(c *urfave.Context) error {
					client, err := command.Connect(c)
					if err != nil {
						return err
					}
					if _, err := client.ChangeLock(c.Context, api.LockRequest{Op: "start", Reason: c.String("reason")}); err != nil {
						return err
					}
					fmt.Println("The services start in order; watch them with clustat -i 1.")
					return nil
				}},
		},
	}
}

func stopCluster(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	plan, err := client.HaltPlan(c.Context)
	if err != nil {
		return err
	}
	cli.LocalTexts(&plan)
	text := cli.Remark(plan.Ground, 80) + haltText(plan)
	if command.DryRun(c) {
		fmt.Print(text + "Nothing was done.\n")
		return nil
	}
	if err := command.Agreed(c, text+"Stop all of these?"); err != nil {
		return err
	}
	if _, err := client.ChangeLock(c.Context, api.LockRequest{Op: "stop", Reason: c.String("reason")}); err != nil {
		return err
	}
	return waitStopped(c.Context, client, c.Duration("wait"))
}

// haltText tells the order of the stops.
func haltText(plan api.HaltReply) string {
	var out strings.Builder
	number := 0
	for _, e := range plan.Events {
		if e.To == "stopping" {
			number++
			fmt.Fprintf(&out, "%3d. %s on %s\n", number, e.Subject, e.Node)
		}
	}
	if number == 0 {
		out.WriteString("Nothing runs.\n")
	}
	if number > 0 {
		fmt.Fprintf(&out, "%s to be stopped, in this order.\n", counted(number))
	}
	for _, note := range plan.Notes {
		out.WriteString(cli.Wrap(note.Why.String(), "  - "+note.Subject+": ", "    ", 80))
	}
	return out.String()
}

func waitStopped(ctx context.Context, client *api.Client, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told := -1
	for {
		status, err := client.Status(ctx, false)
		if err == nil {
			up := 0
			for _, s := range status.Services {
				if s.Owner != "" {
					up++
				}
			}
			if up == 0 {
				fmt.Println("Everything is stopped. `clusterd cluster start` starts it again, also after the hosts were off.")
				return nil
			}
			if up != told {
				fmt.Printf("%s not stopped yet\n", counted(up))
				told = up
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not everything is stopped after %s; it goes on, see `clustat` for what it waits for", wait)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
