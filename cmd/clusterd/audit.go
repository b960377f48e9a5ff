package main

import (
	"encoding/json"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/cli"
)

func auditCommand() *urfave.Command {
	return &urfave.Command{
		Name: "audit", Usage: "show who did what and who was refused, from the audit trail of one node",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "node", Usage: "the `NODE` whose trail to show; default: the one that is asked"},
			&urfave.Uint64Flag{Name: "after", Usage: "only entries after number `N`"},
			&urfave.BoolFlag{Name: "json", Usage: "print one JSON object per line, for export"},
		},
		Action: showAudit,
	}
}

func showAudit(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	after, last := c.Uint64("after"), []audit.Entry(nil)
	for {
		part, err := client.Audit(c.Context, c.String("node"), after)
		if err != nil {
			return err
		}
		if err := audit.Verify(append(last, part.Entries...)); err != nil {
			fmt.Fprintf(os.Stderr, "clusterd: the trail of %s was changed: %v\n", cli.Clean(part.Node), err)
		}
		for _, e := range part.Entries {
			if err := printEntry(e, c.Bool("json")); err != nil {
				return err
			}
		}
		if !part.More {
			return nil
		}
		last = part.Entries[len(part.Entries)-1:]
		after = last[0].Seq
	}
}

func printEntry(e audit.Entry, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(e)
	}
	more := ""
	if e.More > 0 {
		more = fmt.Sprintf(" (and %d more like it)", e.More)
	}
	_, err := fmt.Printf("%d  %s  %s\n", e.Seq, e.At.Local().Format("2006-01-02 15:04:05"),
		cli.Clean(fmt.Sprintf("%s (%s): %s: %s%s", e.Who, e.From, e.Act, e.Result, more)))
	return err
}
