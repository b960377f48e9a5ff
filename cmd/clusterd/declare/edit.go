package declare

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
)

// mostEdited bounds what is read back from an editor.
const mostEdited = 32 << 20

// EditConfig is `config edit`.
func EditConfig(change Change) *urfave.Command {
	return &urfave.Command{Name: "edit", Usage: "edit the document in force with $VISUAL or $EDITOR", Flags: flags(),
		Description: "The program is started without a shell, with the words of the variable as its arguments and the " +
			"name of a file that only you may read. What was edited is kept when it is not put into force, and its file " +
			"named. " + planned,
		Action: func(c *urfave.Context) error {
			if c.NArg() > 0 {
				return command.Usage("config edit takes no operands")
			}
			kept := ""
			changed, err := change(c, func(in Document) (edited string, err error) {
				edited, kept, err = inEditor(in)
				return edited, err
			})
			switch {
			case kept == "" || errors.Is(err, ErrUnchanged):
				return err
			case changed && err == nil:
				return os.RemoveAll(filepath.Dir(kept))
			case err == nil:
				fmt.Printf("What you edited is in %s\n", kept)
				return nil
			}
			return fmt.Errorf("%w\nwhat you edited is in %s", err, kept)
		}}
}

// ErrUnchanged is returned where an editor left the text as it was.
var ErrUnchanged = errors.New("the document was not edited; nothing was changed")

// inEditor returns what a person makes of a document, and the file that it is in; no file where it
// is as it was. The file begins with the line by which `config apply` knows for which version it
// was made. A key that ends programs is the editor's own while it runs.
func inEditor(in Document) (edited, path string, err error) {
	words := strings.Fields(firstOf(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	folder, err := os.MkdirTemp("", "clusterd-edit-")
	if err != nil {
		return "", "", err
	}
	defer func() {
		if path == "" {
			_ = os.RemoveAll(folder)
		}
	}()
	file := filepath.Join(folder, "cluster.yaml")
	head := fmt.Sprintf("# version %d\n", in.Version)
	if err := os.WriteFile(file, []byte(head+in.Text), 0o600); err != nil {
		return "", "", err
	}
	ran := edits(words, file)
	text, err := readBack(file)
	if err == nil && text == head+in.Text {
		err = ErrUnchanged
		if ran != nil {
			err = fmt.Errorf("the editor %s: %w; nothing was changed", words[0], ran)
		}
		return "", "", err
	}
	if err == nil && ran != nil {
		err = fmt.Errorf("the editor %s: %w; nothing was changed", words[0], ran)
	}
	return strings.TrimPrefix(text, head), file, err
}

// edits runs an editor. A terminal sends its interrupts to both of us: after the start they are the
// editor's alone.
func edits(words []string, file string) error {
	editor := exec.Command(words[0], append(words[1:], file)...)
	editor.Stdin, editor.Stdout, editor.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := editor.Start(); err != nil {
		return err
	}
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	return editor.Wait()
}

func readBack(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Size() > mostEdited {
		return "", fmt.Errorf("the document has %d bytes, and %d is the most", info.Size(), mostEdited)
	}
	text, err := os.ReadFile(file)
	return string(text), err
}

func firstOf(words ...string) string {
	for _, word := range words {
		if strings.TrimSpace(word) != "" {
			return word
		}
	}
	return ""
}
