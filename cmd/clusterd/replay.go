package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/recorder"
)

// errDiffers ends a replay in which this build decided otherwise.
var errDiffers = errors.New("this clusterd would decide otherwise")

func replayCommand() *urfave.Command {
	return &urfave.Command{
		Name: "replay", Usage: "re-run recorded plans, and show where this clusterd would decide differently",
		ArgsUsage: "FILE...",
		Description: "A FILE is a record of a plan, or a folder of them: plans in the data folder of each node that " +
			"led, or in an unpacked support bundle. " +
			"Nothing is changed, and no daemon is required. Exit code 0: the same decisions, 1: at least one differs or " +
			"could not be read.",
		Flags: []urfave.Flag{&urfave.BoolFlag{Name: "verbose", Aliases: []string{"v"},
			Usage: "show the commands and notes of every record"}},
		Action: func(c *urfave.Context) error { return replay(c, os.Stdout) },
	}
}

func replay(c *urfave.Context, out io.Writer) error {
	if c.NArg() == 0 {
		return command.Usage("replay needs a FILE, or a folder such as %s", membership.Folder("/var/lib/clusterd").PlansDir())
	}
	paths, err := recordPaths(c.Args().Slice())
	if err != nil {
		return err
	}
	var differing, unreadable int
	for _, path := range paths {
		same, err := replayFile(out, path, c.Bool("verbose"))
		switch {
		case err != nil:
			unreadable++
			fmt.Fprintf(out, "%s: %s\n", path, strings.TrimPrefix(err.Error(), path+": "))
		case !same:
			differing++
		}
	}
	fmt.Fprintf(out, "%d plans made again by clusterd %s: %d the same, %d differ, %d could not be read\n",
		len(paths), daemon.Version, len(paths)-differing-unreadable, differing, unreadable)
	switch {
	case differing > 0:
		return fmt.Errorf("%w in %d of %d plans", errDiffers, differing, len(paths))
	case unreadable > 0:
		return fmt.Errorf("%d of %d records could not be read", unreadable, len(paths))
	}
	return nil
}

// recordPaths puts the records of a folder in its place.
func recordPaths(given []string) ([]string, error) {
	var paths []string
	for _, path := range given {
		information, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !information.IsDir() {
			paths = append(paths, path)
			continue
		}
		records, err := recorder.List(path)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			return nil, fmt.Errorf("there is no record of a plan in %s; only the leader plans, look on the other nodes too",
				path)
		}
		paths = append(paths, records...)
	}
	return paths, nil
}

// replayFile reports whether the plan made again is the recorded one.
func replayFile(out io.Writer, path string, verbose bool) (bool, error) {
	record, err := recorder.Read(path)
	if err != nil {
		return false, err
	}
	comparison, err := recorder.Replay(record)
	if err != nil {
		return false, err
	}
	verdict := "same"
	switch {
	case !comparison.Same:
		verdict = "DIFFERS"
	case comparison.Reworded:
		verdict = "same, in other words"
	}
	fmt.Fprintf(out, "%s: index %d, planned by clusterd %s on %s at %s: %s\n",
		path, record.Planned.State.Index, record.Clusterd, record.Node,
		record.At.UTC().Format("2006-01-02 15:04:05.000 UTC"), verdict)
	if record.Strange != "" {
		fmt.Fprintf(out, "  a newer clusterd wrote this record (%s); it may differ for that alone\n", record.Strange)
	}
	if !comparison.Same || verbose {
		printComparison(out, comparison)
	}
	return comparison.Same, nil
}

func printComparison(out io.Writer, comparison recorder.Comparison) {
	fmt.Fprintln(out, "  commands (- recorded only, + this clusterd only)")
	for _, line := range comparison.Commands {
		fmt.Fprintln(out, "    "+line)
	}
	if len(comparison.Notes) > 0 {
		fmt.Fprintln(out, "  notes")
	}
	for _, line := range comparison.Notes {
		fmt.Fprintln(out, "    "+line)
	}
}
