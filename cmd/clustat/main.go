// Command clustat shows the state of the cluster, and with --events what happened and why.
// Options, output and exit codes are those of rgmanager's tool of that name; what is ours beyond
// it stands where a script that reads the old output does not look.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/help"
)

//go:embed examples.txt
var examples string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t := tool{in: os.Stdin, out: os.Stdout, errOut: cli.CleanWriter(os.Stderr),
		screen: func() cli.Screen { return cli.ScreenOf(os.Stdout) }}
	code := t.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// Exit codes of their own.
const (
	exitFailure  = 1
	exitNotFound = 255
)

// tool is one call of clustat.
type tool struct {
	in          *os.File
	out, errOut io.Writer
	// screen is asked again for each drawing: windows change their size.
	screen func() cli.Screen
	client *api.Client
	// long is set where services are shown at length.
	long bool
	// shown are the latest events that were printed.
	shown []cluster.Event
}

// What the tool is for, and how it is called.
const usage = "show the state of the cluster"

var synopsis = []string{
	"clustat [-lxfQI] [-i N] [-m NODE] [-s SERVICE] [--json] [--classic]",
	"clustat --why SERVICE [--json]",
	"clustat --moves [--limit N] [-m NODE] [-s SERVICE] [--json]",
	"clustat --events [--follow] [--limit N | --after INDEX] [-m NODE] [-s SERVICE] [--json]",
}

func flags() []urfave.Flag {
	own := []urfave.Flag{
		&urfave.StringFlag{Name: "interval", Aliases: []string{"i"},
			Usage: "refresh every `N` seconds until q is pressed; arrow and page keys scroll"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "local-id", Aliases: []string{"I"},
			Usage: "print the id of this node"},
		&urfave.StringFlag{Name: "member", Aliases: []string{"m"},
			Usage: "show one `NODE`; exit code 0 online, 1 offline, 255 unknown"},
		&urfave.StringFlag{Name: "service", Aliases: []string{"s"},
			Usage: "show one `SERVICE`; the exit code tells its state"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "xml", Aliases: []string{"x"}, Usage: "print XML"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "quorum", Aliases: []string{"Q"},
			Usage: "print nothing; exit code 0 with a quorum, 1 without"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "fast", Aliases: []string{"f"},
			Usage: "show what this node knows, without asking the others"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "long", Aliases: []string{"l"}, Usage: "show services in detail"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "classic",
			Usage: "show rgmanager's tables on a terminal too: fixed columns, no colour"},
		&urfave.StringFlag{Name: "why",
			Usage: "say why a `SERVICE` is where it is: each node with its rank, or the rule that rules it out"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "json", Usage: "print JSON"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "moves",
			Usage: "show the last live moves: how long they took, how long the guest stood still; -s and -m filter them"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "events", Usage: "show the timeline; -s, -m and --code filter it"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "follow", Usage: "with --events: go on with new events"},
		&urfave.StringFlag{Name: "code",
			Usage: "with --events: those with the code `CODE`, or the codes that fit a pattern such as 'fence-*'"},
		&urfave.Uint64Flag{Name: "after", DefaultText: "the last events",
			Usage: "with --events: those after the event `INDEX`, as shown by --json; to continue where a reader stopped"},
		&urfave.IntFlag{Name: "limit", Usage: "with --events and --moves: the last `N`", Value: 40},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "version", Aliases: []string{"v"}, Usage: "print the version"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "help", Aliases: []string{"h", "?"}, Usage: "show this help"},
	}
	return append(own, cli.ConnectionFlags()...)
}

// run is the whole tool; it returns the exit code.
func (t *tool) run(ctx context.Context, arguments []string) int {
	code := 0
	help.Use(help.Examples(examples))
	app := &urfave.App{
		Name:            "clustat",
		Usage:           usage,
		UsageText:       strings.Join(synopsis, "\n"),
		Flags:           flags(),
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          t.out,
		ErrWriter:       t.errOut,
		ExitErrHandler:  func(*urfave.Context, error) {},
		OnUsageError: func(c *urfave.Context, err error, _ bool) error {
			return cli.Misused(err, c.App.Flags)
		},
		Action: func(c *urfave.Context) error {
			var err error
			code, err = t.act(ctx, c)
			return err
		},
	}
	if slices.Equal(arguments, []string{"help"}) { // the word that clusterd knows too
		arguments = []string{"--help"}
	}
	words, err := cli.Arguments(arguments, app.Flags)
	if err == nil {
		err = app.Run(append([]string{"clustat"}, words...))
	}
	if err != nil {
		return max(code, t.complain(err))
	}
	return code
}

// complain tells an error and returns the exit code for it.
func (t *tool) complain(err error) int {
	fmt.Fprintln(t.errOut, err)
	if advice := api.Advice(err); advice != "" {
		fmt.Fprintln(t.errOut, advice)
	}
	if errors.Is(err, cli.ErrUsage) {
		fmt.Fprintln(t.errOut, "See clustat -h.")
	}
	return exitFailure
}
