// Command clusvcadm asks the cluster to start, stop, move and freeze services. Options, dialogue
// and exit codes are those of rgmanager's tool of that name, with three differences: a mistyped
// name is refused with a suggestion and never guessed, a move that cannot work is refused before
// anything is stopped, and an answer that is not understood is a failure.
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
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/help"
	"github.com/clusterd/clusterd/resources"
)

//go:embed examples.txt
var examples string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, cli.CleanWriter(os.Stderr), cli.ScreenOf(os.Stdout))
	stop()
	os.Exit(code)
}

// actions are the options that ask for something; one at a time.
var actions = []string{"enable", "disable", "stop", "restart", "relocate", "migrate", "freeze", "unfreeze",
	"convalesce", "cancel", "tune", "lock", "unlock", "show-lock"}

// What the tool is for, and how it is called.
const usage = "start, stop and move services of the cluster"

var synopsis = []string{
	"clusvcadm -e|-d|-s|-r|-M|-R|-Z|-U|-c SERVICE [-m NODE] [options]",
	"clusvcadm --cancel|--tune SERVICE [--set KEY=VALUE] [options]",
	"clusvcadm -l|-u|-S [options]",
}

func flags() []urfave.Flag {
	service := func(name, letter, usage string) urfave.Flag {
		return &urfave.StringFlag{Name: name, Aliases: []string{letter}, Usage: usage}
	}
	own := []urfave.Flag{
		service("enable", "e", "enable (start) a `SERVICE`"),
		service("disable", "d", "disable a `SERVICE`: stop it until it is enabled again"),
		service("stop", "s", "stop a `SERVICE` until the next transition of a service or node"),
		service("relocate", "r", "relocate a `SERVICE`: stop it here, start it elsewhere"),
		service("migrate", "M", "migrate a `SERVICE` live; needs -m"),
		service("restart", "R", "restart a `SERVICE` where it runs"),
		service("freeze", "Z", "freeze a `SERVICE`: leave it alone whatever happens"),
		service("unfreeze", "U", "unfreeze a `SERVICE`"),
		&urfave.StringFlag{Name: "member", Aliases: []string{"m", "n"}, Usage: "the `NODE` to use, for -e, -r and -M"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "failover-domain", Aliases: []string{"F"},
			Usage: "with -e: start where the failover domain says best"},
		&urfave.DurationFlag{Name: "for", Usage: "with -Z: end the freeze after this `TIME`, for example 2h",
			DefaultText: "until it is unfrozen"},
		service("convalesce", "c", "convalesce a `SERVICE`: start the non-critical resources again that it goes on without"),
		&urfave.StringFlag{Name: "cancel", Usage: "cancel the live migration of a `SERVICE` that is under way"},
		&urfave.StringFlag{Name: "tune", Usage: "change the limits of the live migration of a `SERVICE`; needs --set"},
		&urfave.StringSliceFlag{Name: "set", Usage: setUsage()},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "lock", Aliases: []string{"l"},
			Usage: "lock the cluster: no service may start, stops still work"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "unlock", Aliases: []string{"u"}, Usage: "unlock the cluster"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "show-lock", Aliases: []string{"S"},
			Usage: "show whether the cluster is locked"},
		&urfave.DurationFlag{Name: "wait", Usage: "wait at most this `TIME`, for example 90s; 0 does not wait",
			Value: -1, DefaultText: "no limit"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "dry-run", Usage: "show what would happen, and why, and do nothing"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "declared-disks",
			Usage: "with -d, -s, -r, -R and -e: use the declared disks, and give up what was written to others"},
		&urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "json", Usage: "print the reply as JSON"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but errors"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "version", Aliases: []string{"v"}, Usage: "print the version"},
		&urfave.BoolFlag{DisableDefaultText: true, Name: "help", Aliases: []string{"h", "?"}, Usage: "show this help"},
	}
	return append(own, cli.ConnectionFlags()...)
}

// setUsage is the help of --set, made from what can be set.
func setUsage() string {
	var limits, fixed []string
	for _, part := range resources.MoveParts {
		if part.Fixed {
			fixed = append(fixed, part.Example)
		} else {
			limits = append(limits, part.Example)
		}
	}
	last := len(fixed) - 1
	return "`KEY=VALUE` of a live migration, with -M or --tune: " + strings.Join(limits, " or ") + "; with -M also " +
		strings.Join(fixed[:last], ", ") + " or " + fixed[last]
}

// run is the whole tool; it returns the exit code.
func run(ctx context.Context, arguments []string, out, errOut io.Writer, screen cli.Screen) int {
	code := 1
	help.Use(help.Examples(examples))
	app := &urfave.App{
		Name:            "clusvcadm",
		Usage:           usage,
		UsageText:       strings.Join(synopsis, "\n"),
		Flags:           flags(),
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          out,
		ErrWriter:       errOut,
		ExitErrHandler:  func(*urfave.Context, error) {},
		OnUsageError: func(c *urfave.Context, err error, _ bool) error {
			return cli.Misused(err, c.App.Flags)
		},
		Action: func(c *urfave.Context) error {
			var err error
			code, err = act(ctx, c, out, errOut, screen)
			return err
		},
	}
	if slices.Equal(arguments, []string{"help"}) { // the word that clusterd knows too
		arguments = []string{"--help"}
	}
	words, err := cli.Arguments(arguments, app.Flags, actions...)
	if err == nil {
		err = app.Run(append([]string{"clusvcadm"}, words...))
	}
	if err != nil && asJSON(arguments) {
		return refusedJSON(out, err, max(code, 1))
	}
	if err != nil {
		fmt.Fprintln(errOut, err)
		if advice := api.Advice(err); advice != "" {
			fmt.Fprintln(errOut, advice)
		}
		if errors.Is(err, cli.ErrUsage) {
			fmt.Fprintln(errOut, "See clusvcadm -h.")
		}
		return max(code, 1)
	}
	return code
}

// asJSON reports whether a program reads the answer. The words are looked at as they were given:
// what is wrong with them is an answer too.
func asJSON(arguments []string) bool {
	quiet := slices.Contains(arguments, "-q") || slices.Contains(arguments, "--quiet")
	return slices.Contains(arguments, "--json") && !quiet
}

// wish is what the command line asks for.
type wish struct {
	request api.Request
	action  string
	// member is what was given with -m, also where the operation has no use for a target.
	member string
	wait   time.Duration
	json   bool
	dryRun bool
}
