package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/declare"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
)

func configCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline and the history"}
	yes := &urfave.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "do not ask on a terminal"}
	dryRun := &urfave.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "show what it would do, and do nothing"}
	return &urfave.Command{
		Name: "config", Usage: "show and change the cluster document",
		Subcommands: []*urfave.Command{
			{Name: "check", Usage: "find the faults of a document", ArgsUsage: "FILE", Action: checkConfig,
				Description: "Fence agents are held against what they say of themselves on this machine: one that is missing, " +
					"tells no metadata, or takes other options is a fault on a node that may have to use it, and a " +
					"warning elsewhere. " +
					"On a member the document is held against the one in force, too: what apply would change and refuse. " +
					"The exit code is 0 when the document has no fault, and with --devices when besides every fence device could " +
					"be used from here; else 1.",
				Flags: []urfave.Flag{&urfave.BoolFlag{Name: "devices", DisableDefaultText: true,
					Usage: "also ask every fence device from this machine, as the checks of a running cluster do: is it " +
						"reachable, are login and certificate right, whose is it, is the disk there and does it know reservations; " +
						"nothing is switched or written"}}},
			{Name: "apply", Usage: "put a document into force", ArgsUsage: "FILE", Action: applyConfig,
				Description: "Shows what the document changes in place, what counts from the next start on, and what is " +
					"started or removed; nothing that did not change is touched. On a terminal it asks before it goes on. " +
					"A file that begins with the line \"# version N\", as `clusterd config show` prints it, is refused when the " +
					"document is no longer at version N: somebody else's change would be lost.",
				Flags: []urfave.Flag{reason, yes, dryRun,
					&urfave.Uint64Flag{Name: "base", DefaultText: "what the file says, or the one in force",
						Usage: "refuse unless version `N` is in force: the one that the document was made from"}}},
			declare.Set(changeDocument), declare.EditConfig(changeDocument),
			{Name: "show", Usage: "print a document, passwords masked", Action: showConfig,
				Flags: []urfave.Flag{&urfave.Uint64Flag{Name: "version", DefaultText: "the one in force", Usage: "version `N`"}}},
			{Name: "diff", Usage: "show what a document would change, or the difference between two versions",
				ArgsUsage: "FILE | N M", Action: diffConfig},
			{Name: "history", Usage: "list the versions of the document: when, by whom, why, and what changed",
				Action: configHistory,
				Flags:  []urfave.Flag{&urfave.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print JSON"}}},
			{Name: "rollback", Usage: "bring an earlier version of the document into force again, as a new version",
				ArgsUsage: "N", Action: rollbackConfig,
				Description: "It is planned, shown, asked about and refused like any other change. Passwords of devices that " +
					"are in force now are kept.",
				Flags: []urfave.Flag{reason, yes, dryRun, &urfave.BoolFlag{Name: "old-passwords", DisableDefaultText: true,
					Usage: "also bring back the passwords of that version"}}},
		},
	}
}

// versionLine is what config show prints in front of a document. Editors change its
// letters, spaces and line end, and people write comments around it.
var versionLine = regexp.MustCompile(`(?i)^#\s*version\s+(\d+)\s*$`)

// shownVersion takes the lines off that config show has put in front of a
// document. The first of them says for which version the document was made; 0 is
// returned where there is none. They are looked for among the comments and empty
// lines with which the text begins.
func shownVersion(text string) (version uint64, rest string) {
	text = strings.TrimPrefix(text, "\ufeff")
	var kept strings.Builder
	for len(text) > 0 {
		line, after, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(line)
		if trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			break
		}
		if found := versionLine.FindStringSubmatch(trimmed); found == nil {
			kept.WriteString(text[:len(text)-len(after)])
		} else if version == 0 {
			version, _ = strconv.ParseUint(found[1], 10, 64)
		}
		text = after
	}
	return version, kept.String() + text
}

// prepared reads a document and checks it on this side, with its files.
func prepared(c *urfave.Context) (parsed config.Parsed, base uint64, err error) {
	path, err := command.Argument(c, "the FILE of a document")
	if err != nil {
		return parsed, 0, err
	}
	path, text, err := command.ReadOperand(path)
	if err != nil {
		return parsed, 0, err
	}
	if parsed, err = checkedText(c, path, text); err != nil {
		return parsed, 0, err
	}
	base, parsed.Text = shownVersion(parsed.Text)
	return parsed, base, nil
}

// checkedText checks the text of a document on this side, with its files, and prints its warnings.
func checkedText(c *urfave.Context, path string, text []byte) (parsed config.Parsed, err error) {
	if parsed, err = config.Prepare(path, text, os.ReadFile); err != nil {
		return parsed, err
	}
	if err := checkAgents(c, path, text); err != nil {
		return parsed, err
	}
	if err := checkFenceAgents(c, path, text, parsed); err != nil {
		return parsed, err
	}
	for _, line := range parsed.Warnings.Lines() {
		fmt.Fprint(cli.CleanWriter(os.Stderr), cli.Wrap(line, "", "  ", cli.ScreenOf(os.Stderr).Width))
	}
	return parsed, nil
}

func checkConfig(c *urfave.Context) error {
	parsed, _, err := prepared(c)
	if err != nil {
		return err
	}
	d := parsed.Document
	name := operandName(c)
	said, err := againstForce(c, name, parsed)
	if err != nil {
		return err
	}
	fmt.Printf("%s: valid: %s, %s, %s, %s\n", name,
		count(len(d.Nodes), "node", "nodes"), count(len(d.Devices), "fence device", "fence devices"),
		count(len(d.Domains), "failover domain", "failover domains"), count(len(d.Services), "service", "services"))
	for line := range strings.Lines(said) {
		fmt.Print(cli.Wrap(line, "", "  ", cli.ScreenOf(os.Stdout).Width))
	}
	if masked := maskedSecrets(d); masked > 0 && said == "" {
		fmt.Printf("%s: apply keeps what is in force, and refuses a mask where nothing is.\n",
			count(masked, "secret is masked", "secrets are masked"))
	}
	if c.Bool("devices") {
		return tryDevices(c, c.Args().First(), parsed)
	}
	return nil
}

// planner shows what a change does, asks where a person can answer, and makes it.
type planner struct {
	in       io.Reader
	out      io.Writer
	terminal bool
	width    int
	// cluster is the name to be typed when a change removes at least half of what is declared: of
	// nodes and services that many. An empty name is never asked for.
	cluster  string
	declared int
	// change makes the change, or tells what it would do.
	change func(base uint64, dryRun bool) (api.ConfigReply, error)
}

func newPlanner(change func(base uint64, dryRun bool) (api.ConfigReply, error)) planner {
	screen := cli.ScreenOf(os.Stdout)
	return planner{in: os.Stdin, out: os.Stdout, terminal: screen.Terminal && term.IsTerminal(int(os.Stdin.Fd())),
		width: screen.Width, change: change}
}

// measure asks how much there is, of which a change may remove too much to be meant.
func (p *planner) measure(ctx context.Context, client *api.Client) {
	if status, err := client.Status(ctx, false); err == nil {
		p.cluster, p.declared = status.Cluster, len(status.Nodes)+len(status.Services)
	}
}

// run plans for a version, and goes on with that very version: what was shown is
// what is done.
func (p planner) run(base uint64, dryRun, yes bool) error {
	plan, err := p.change(base, true)
	if err != nil {
		return err
	}
	io.WriteString(p.out, cli.Plan(plan, effectOrder(), p.width))
	if plan.Refused != "" {
		return command.ErrRefused
	}
	if dryRun {
		fmt.Fprintf(p.out, "Document version %d is in force; nothing was changed.\n", plan.Version)
		return nil
	}
	if p.terminal && !yes && len(plan.Plan) > 0 && !p.agreed(plan.Plan) {
		return command.ErrRefused
	}
	reply, err := p.change(plan.Version, false)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Document version %d is in force.\n", reply.Version)
	return nil
}

// agreed asks whether a plan is wanted; the cluster's name is asked for where a document was made
// for another one, or lost most of its lines: it takes away at least half of what there is.
func (p planner) agreed(plan []api.ConfigEffect) bool {
	gone := 0
	for _, what := range removals(plan) {
		if strings.HasPrefix(what, "node ") || strings.HasPrefix(what, "service ") {
			gone++
		}
	}
	if p.cluster != "" && gone >= 2 && 2*gone >= p.declared {
		fmt.Fprintf(p.out, "It removes %d of %d nodes and services. Type the cluster's name to put it into force: ",
			gone, p.declared)
		answer, _ := bufio.NewReader(io.LimitReader(p.in, 300)).ReadString('\n')
		return strings.TrimSpace(answer) == p.cluster
	}
	fmt.Fprint(p.out, "Put it into force? [y/N] ")
	answer, _ := bufio.NewReader(io.LimitReader(p.in, 100)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

func effectOrder() []string {
	order := make([]string, 0, len(config.Effects))
	for _, effect := range config.Effects {
		order = append(order, string(effect))
	}
	return order
}

// baseOf is the version for which a change is made: the one given, else the one
// that the file says, else the one in force.
func baseOf(c *urfave.Context, client *api.Client, said uint64) (uint64, error) {
	if c.IsSet("base") {
		return c.Uint64("base"), nil
	}
	if said != 0 {
		return said, nil
	}
	document, err := client.Config(c.Context)
	return document.Version, err
}

func applyConfig(c *urfave.Context) error {
	parsed, said, err := prepared(c)
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	base, err := baseOf(c, client, said)
	if err != nil {
		return err
	}
	p := newPlanner(func(base uint64, dryRun bool) (api.ConfigReply, error) {
		reply, err := client.ChangeConfig(c.Context, api.ConfigChange{Base: base, Text: parsed.Text, DryRun: dryRun,
			Reason: c.String("reason")})
		return reply, inFile(replaceAnyway(err, said != 0 && !c.IsSet("base")), operandName(c))
	})
	p.measure(c.Context, client)
	return p.run(base, c.Bool("dry-run"), c.Bool("yes"))
}

func diffConfig(c *urfave.Context) error {
	if c.NArg() == 2 {
		return diffVersions(c)
	}
	parsed, said, err := prepared(c)
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	document, err := client.Config(c.Context)
	if err != nil {
		return err
	}
	reply, err := client.ChangeConfig(c.Context, api.ConfigChange{Base: document.Version, Text: parsed.Text, DryRun: true})
	if err != nil {
		return inFile(err, operandName(c))
	}
	fmt.Print(cli.Plan(reply, effectOrder(), cli.ScreenOf(os.Stdout).Width))
	fmt.Printf("Document version %d is in force now; this is what would change.\n", reply.Version)
	if said != 0 && said != reply.Version {
		fmt.Printf("The file was made for version %d; see what came between with: clusterd config diff %d %d\n", said, said,
			reply.Version)
	}
	return nil
}

func diffVersions(c *urfave.Context) error {
	var versions [2]uint64
	for i, word := range c.Args().Slice() {
		version, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return command.Usage("%q is not the number of a version; see `clusterd config history`", word)
		}
		versions[i] = version
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	reply, err := client.CompareConfig(c.Context, versions[0], versions[1])
	if err != nil {
		return err
	}
	fmt.Printf("From version %d to version %d:\n", versions[0], versions[1])
	width := cli.ScreenOf(os.Stdout).Width
	for _, line := range reply.Changes {
		fmt.Print(cli.Wrap(line, "  ", "    ", width))
	}
	if len(reply.Changes) == 0 {
		fmt.Println("  nothing changes")
	}
	return nil
}

func showConfig(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	document, err := client.Config(c.Context)
	if c.IsSet("version") {
		document, err = client.ConfigOf(c.Context, c.Uint64("version"))
	}
	if err != nil {
		return err
	}
	_, text := shownVersion(document.Text)
	fmt.Printf("# version %d\n%s", document.Version, text)
	return nil
}

func configHistory(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	history, err := client.ConfigHistory(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(history)
	}
	for i := range history.Revisions {
		history.Revisions[i].At = history.Revisions[i].At.Local()
	}
	fmt.Print(cli.History(history, cli.ScreenOf(os.Stdout).Width))
	return nil
}

func rollbackConfig(c *urfave.Context) error {
	word, err := command.Argument(c, "the number N of a version; see `clusterd config history`")
	if err != nil {
		return err
	}
	version, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return command.Usage("%q is not the number of a version; see `clusterd config history`", word)
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	document, err := client.Config(c.Context)
	if err != nil {
		return err
	}
	p := newPlanner(func(base uint64, dryRun bool) (api.ConfigReply, error) {
		return client.RollbackConfig(c.Context,
			api.Rollback{Base: base, Version: version, OldPasswords: c.Bool("old-passwords"), DryRun: dryRun,
				Reason: c.String("reason")})
	})
	p.measure(c.Context, client)
	return p.run(document.Version, c.Bool("dry-run"), c.Bool("yes"))
}
