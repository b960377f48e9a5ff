package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/foreign"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// errPartly ends an import in which something could not be translated.
var errPartly = errors.New("translated in part")

func importCommand() *urfave.Command {
	return &urfave.Command{
		Name: "import", Usage: "convert another cluster manager's configuration to a cluster document",
		ArgsUsage: "[cluster.conf|cib] FILE",
		Description: "FILE is a cluster.conf of RHEL 5 or 6 (rgmanager, cman), or a CIB of Pacemaker (`pcs cluster " +
			"cib`, `cibadmin -Q`); without the word, its top element tells which; - is standard input. " +
			"The document goes to standard output (passwords masked if that is a terminal) or to --out, and a report on " +
			"every line of the source to standard error or to --report. Nothing is changed, and no daemon is required. " +
			"Exit code 0: all is translated, 3: translated, but the report tells of things that cannot be, 1: FILE cannot " +
			"be read, 2: wrong use.",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Usage: "write the document to `FILE`, mode 0600, which must not exist"},
			&urfave.StringFlag{Name: "report", Usage: "write the report to `FILE`"},
			&urfave.StringFlag{Name: "definitions", Usage: "look for the VMs' libvirt XML in `FOLDER` first, as NAME.xml"},
		},
		Action: func(c *urfave.Context) error {
			run := importRun{in: os.Stdin, out: os.Stdout, report: cli.CleanWriter(os.Stderr)}
			run.terminal = term.IsTerminal(int(os.Stdout.Fd()))
			return run.run(c)
		},
	}
}

// importRun is one run of the command.
type importRun struct {
	in          io.Reader
	out, report io.Writer
	// terminal tells that out is one: passwords are masked then.
	terminal bool
}

func (i importRun) run(c *urfave.Context) error {
	path, word := c.Args().First(), ""
	if c.NArg() == 2 {
		word, path = path, c.Args().Get(1)
	}
	if c.NArg() < 1 || c.NArg() > 2 || path == "" {
		return command.Usage("import needs a FILE: clusterd import [cluster.conf|cib] FILE")
	}
	if c.NArg() == 1 && path == "cib" && !exists(path) {
		return command.Usage("import cib needs the FILE; on a Pacemaker node `cibadmin -Q > cib.xml` writes one")
	}
	text, err := i.read(path)
	if err != nil {
		return err
	}
	folder, err := absolute(c.String("definitions"))
	if err != nil {
		return err
	}
	definitions := importing.Definitions{ReadFile: foreign.ReadBounded, Folder: folder, Now: time.Now(), Ties: tiesOf}
	draft, report, err := foreign.Translate(word, path, text, definitions)
	if err != nil {
		return err
	}
	document, err := draft.Text(filepath.Base(path))
	if err != nil {
		return err
	}
	report.Faults = faults(document, draft.Missing)
	if c.String("out") == "" && i.terminal {
		fmt.Fprintln(i.report, "Passwords are masked on a terminal; --out FILE writes them.")
		if document, err = draft.Masked(filepath.Base(path)); err != nil {
			return err
		}
	}
	if err := i.deliver(c.String("out"), document); err != nil {
		return err
	}
	if err := i.tell(c.String("report"), report, path); err != nil {
		return err
	}
	return verdict(report)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func verdict(report *importing.Report) error {
	lost := report.Count(importing.Cannot)
	switch {
	case len(report.Faults) > 0:
		return fmt.Errorf("%w: %s, and %s cannot be; see the report", errPartly,
			count(len(report.Faults), "fault of the document", "faults of the document"), count(lost, "thing", "things"))
	case lost > 0:
		return fmt.Errorf("%w: %s cannot be; see the report", errPartly, count(lost, "thing", "things"))
	}
	return nil
}

func count(number int, one, many string) string {
	if number == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", number, many)
}

func (i importRun) read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(i.in, importing.LargestSource+1))
	}
	return foreign.ReadBounded(path)
}

// tiesOf says what ties a VM to the host on which it is.
func tiesOf(definition string) (notLive, stays string) {
	spec := resources.Spec{Bonds: domainxml.BondsOf(definition)}
	return spec.NotLive(), spec.Stays()
}

// faults are what `clusterd config check` would say of the document, but for
// files that are not here yet: those the report tells of.
func faults(document string, missing []string) []string {
	_, err := config.Prepare("document", []byte(document), func(path string) ([]byte, error) {
		if at := slices.Index(missing, path); at >= 0 {
			return importing.StandIn(path), nil
		}
		return foreign.ReadBounded(path)
	})
	var found *strict.Faults
	if errors.As(err, &found) {
		return found.Lines()
	}
	return nil
}

// deliver writes the document where it was asked for.
func (i importRun) deliver(path, document string) error {
	if path == "" {
		_, err := io.WriteString(i.out, document)
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and is not overwritten; choose another name for --out", path)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(document)
	if err = errors.Join(err, file.Close()); err != nil {
		// Half a document is the wrong document.
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func (i importRun) tell(path string, report *importing.Report, source string) error {
	if path == "" {
		return report.Write(i.report, source)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(report.Write(file, source), file.Close())
}

// absolute makes a folder's path mean the same in a document that lies elsewhere. No folder stays
// none.
func absolute(folder string) (string, error) {
	if folder == "" {
		return "", nil
	}
	return filepath.Abs(folder)
}
