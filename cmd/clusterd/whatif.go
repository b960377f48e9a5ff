package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/declare"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// whatIfCommand asks what would happen, and does nothing.
func whatIfCommand() *urfave.Command {
	return &urfave.Command{Name: "whatif",
		Usage: "say who would move where, and who could not; nothing is done",
		Subcommands: []*urfave.Command{
			{Name: "node-down", Usage: "if these hosts lost their power at once", ArgsUsage: "NODE [NODE...]",
				Action: func(c *urfave.Context) error {
					if c.NArg() == 0 {
						return command.Usage("whatif node-down needs a NODE, or several")
					}
					return askWhatIf(c, c.Args().Slice(), "")
				}},
			{Name: "drain", Usage: "if this node were drained", ArgsUsage: "NODE",
				Action: func(c *urfave.Context) error {
					name, err := command.Argument(c, "a NODE")
					if err != nil {
						return err
					}
					return askWhatIf(c, nil, name)
				}},
			{Name: "set", Usage: "if single values of the document were these", ArgsUsage: "KEY=VALUE [KEY=VALUE...]",
				Description: declare.SettingsUsage, Action: whatIfSet},
			{Name: "apply", Usage: "if this document were in force", ArgsUsage: "FILE", Action: whatIfApply},
			{Name: "add", Usage: "if this VM were added", ArgsUsage: "FILE", Action: whatIfAdd,
				Description: "FILE is the VM's definition, as `virsh dumpxml` prints it. Where it would run, and whether what it " +
					"needs fits anywhere, is told before it exists.",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "domain", Usage: "its failover `DOMAIN`"}}},
		}}
}

// mostReserve is how many hosts are asked about where nobody says.
const mostReserve = 2

// reserveCommand asks how many hosts may be lost.
func reserveCommand() *urfave.Command {
	return &urfave.Command{Name: "reserve",
		Usage: "say how many hosts may be lost at once, and what would be short without one more; nothing is done",
		Flags: []urfave.Flag{
			&urfave.IntFlag{Name: "hosts", Usage: "ask about up to `N` hosts, 1 to 3", Value: mostReserve},
			&urfave.BoolFlag{Name: "json", Usage: "print the answer as JSON"},
		},
		Action: func(c *urfave.Context) error {
			if c.NArg() > 0 {
				return command.Usage("reserve takes no operands; how many hosts are asked about is told by --hosts")
			}
			if hosts := c.Int("hosts"); hosts < 1 || hosts > rehearse.MostLost {
				return command.Usage("--hosts is %d; write a number from 1 to %d", hosts, rehearse.MostLost)
			}
			client, err := command.Connect(c)
			if err != nil {
				return err
			}
			command.WarnIfNoQuorum(c, client)
			reply, err := client.Reserve(c.Context, c.Int("hosts"))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return command.PrintJSON(reply)
			}
			cli.LocalTexts(&reply)
			fmt.Print(cli.Remark(reply.Ground, 80) + reserveText(reply))
			return nil
		}}
}

// reserveText is the answer as an administrator reads it.
func reserveText(reply api.ReserveReply) string {
	var out strings.Builder
	switch hosts := reply.Hosts; {
	case hosts == 1:
		out.WriteString("1 host may be lost, whichever it is: everything that runs comes up on the others.\n")
	case hosts > 1:
		fmt.Fprintf(&out, "%d hosts may be lost at once, whichever they are: everything that runs comes up on the others.\n",
			hosts)
	case len(reply.Lost) > 0:
		out.WriteString("No host may be lost.\n")
	case !reply.Bounded:
		out.WriteString("No host is in touch, so nothing can be said.\n")
	}
	if reply.Bounded {
		fmt.Fprintf(&out, "There was no time to try every set of %d; %d sets were tried.\n", reply.Hosts+1, reply.Sets)
	}
	if len(reply.Lost) == 0 {
		return out.String()
	}
	fmt.Fprintf(&out, "Without %s:\n", strings.Join(reply.Lost, " and "))
	if reply.Minority {
		out.WriteString("  too few voters would be left; nothing is decided before one is back.\n")
	}
	for i, step := range reply.Short {
		if i == mostShort {
			fmt.Fprintf(&out, "  and %d more\n", len(reply.Short)-mostShort)
			break
		}
		out.WriteString(cli.Wrap(cmp.Or(step.Why.String(), "no host would be left"), "  "+step.Service+", now on "+
			step.From+": ", "      ", 100))
		if !step.Next.IsZero() {
			out.WriteString(cli.Wrap(step.Next.String(), "      ", "      ", 100))
		}
	}
	return out.String()
}

// mostShort is how many services are told of.
const mostShort = 10

func askWhatIf(c *urfave.Context, down []string, drain string) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	reply, err := client.WhatIf(c.Context, down, drain)
	if err != nil {
		return err
	}
	return showWhatIf(reply)
}

// showWhatIf prints the map; what the cluster would not take is an error.
func showWhatIf(reply api.WhatIfReply) error {
	cli.LocalTexts(&reply)
	fmt.Print(cli.Remark(reply.Ground, 80))
	if len(reply.Plan) > 0 {
		fmt.Print(cli.Plan(api.ConfigReply{Plan: reply.Plan}, effectOrder(), cli.ScreenOf(os.Stdout).Width))
	}
	if !reply.Refused.IsZero() {
		fmt.Print(cli.Wrap(reply.Refused.String(), "The cluster would refuse it: ", "    ", 100))
		return command.ErrRefused
	}
	fmt.Print(whatIfText(reply))
	return nil
}

// whatIfMethods are the methods of a map in words.
var whatIfMethods = map[cluster.Method]string{cluster.MethodLive: "moves live to", cluster.MethodCold: "is started on"}

// whatIfText is the map as an administrator reads it.
func whatIfText(reply api.WhatIfReply) string {
	var out strings.Builder
	if 2*reply.Votes <= reply.Voters && !reply.Alone {
		fmt.Fprintf(&out, "%d of %d voters would be left: without a majority nothing is decided before one is back.\n"+
			"With a majority:\n", reply.Votes, reply.Voters)
	}
	for _, step := range reply.Steps {
		from := ""
		if step.From != "" {
			from = ", now on " + step.From
		}
		if step.Method == cluster.MethodGoes {
			fmt.Fprintf(&out, "%s%s: is no longer a service of the cluster\n", step.Service, from)
			continue
		}
		if step.Method != cluster.MethodStays {
			fmt.Fprintf(&out, "%s%s: %s %s\n", step.Service, from, whatIfMethods[step.Method], step.To)
			continue
		}
		said := "has no other place: "
		if step.To != "" && step.To == step.From {
			said = "stays there: "
		}
		out.WriteString(cli.Wrap(said+step.Why.String(), step.Service+from+": ", "    ", 100))
		if !step.Next.IsZero() {
			out.WriteString(cli.Wrap(step.Next.String(), "    ", "    ", 100))
		}
	}
	switch {
	case len(reply.Steps) == 0:
		out.WriteString("Nothing would happen to any service.\n")
	case reply.Others > 0:
		fmt.Fprintf(&out, "%s not affected.\n", counted(reply.Others))
	}
	for _, room := range reply.Rooms {
		fmt.Fprintf(&out, "%s would have %s of memory free of %s.\n", room.Node, room.Free, room.Memory)
	}
	return out.String()
}

// changeDocument puts what an edit makes of the document in force into force, as config apply does.
// It reports whether it did: a rehearsal does not.
func changeDocument(c *urfave.Context, edit declare.Edit) (changed bool, err error) {
	client, change, err := edited(c, edit)
	if err != nil {
		return false, err
	}
	p := newPlanner(func(base uint64, dryRun bool) (api.ConfigReply, error) {
		reply, err := client.ChangeConfig(c.Context, api.ConfigChange{Base: base, Text: change.Text, DryRun: dryRun,
			Reason: c.String("reason")})
		changed = changed || err == nil && !dryRun
		return reply, inFile(err, "document")
	})
	p.measure(c.Context, client)
	err = p.run(change.Base, c.Bool("dry-run"), c.Bool("yes"))
	return changed, err
}

// edited is what an edit makes of the document in force, checked on this side. Its passwords are
// masked, which the daemon takes for those in force.
func edited(c *urfave.Context, edit declare.Edit) (*api.Client, api.ConfigChange, error) {
	client, err := command.Connect(c)
	if err != nil {
		return nil, api.ConfigChange{}, err
	}
	document, err := client.Config(c.Context)
	if err != nil {
		return nil, api.ConfigChange{}, err
	}
	status, err := client.Status(c.Context, false)
	if err != nil {
		return nil, api.ConfigChange{}, err
	}
	text, err := edit(declare.Document{Text: document.Text, Cluster: status.Cluster, Version: document.Version})
	if err != nil {
		return nil, api.ConfigChange{}, err
	}
	parsed, err := checkedText(c, "document", []byte(text))
	return client, api.ConfigChange{Base: document.Version, Text: parsed.Text}, err
}

// whatIfEdited asks about the document in force as an edit makes it.
func whatIfEdited(c *urfave.Context, edit declare.Edit, err error) error {
	if err != nil {
		return err
	}
	client, change, err := edited(c, edit)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	return askDocument(c, client, "document", change)
}

func whatIfSet(c *urfave.Context) error {
	edit, err := declare.Settings(c, c.Args().Slice())
	return whatIfEdited(c, edit, err)
}

func whatIfAdd(c *urfave.Context) error {
	edit, err := declare.Added(c, true)
	return whatIfEdited(c, edit, err)
}

func whatIfApply(c *urfave.Context) error {
	parsed, _, err := prepared(c)
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	document, err := client.Config(c.Context)
	if err != nil {
		return err
	}
	return askDocument(c, client, operandName(c), api.ConfigChange{Base: document.Version, Text: parsed.Text})
}

// askDocument asks, and says of a fault in which text it is.
func askDocument(c *urfave.Context, client *api.Client, name string, change api.ConfigChange) error {
	reply, err := client.WhatIfDocument(c.Context, change)
	if err != nil {
		return inFile(err, name)
	}
	return showWhatIf(reply)
}

// replaceAnyway says how to go on after a conflict, where it comes from the
// file's first line.
func replaceAnyway(err error, fromFile bool) error {
	var failure api.Failure
	if fromFile && errors.As(err, &failure) && failure.Code == "conflict" {
		failure.Details = append(failure.Details,
			"the file's first line says for which version it was made; to replace what is in force all the same, "+
				"say so with --base")
		return failure
	}
	return err
}
