package declare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
			err := change(c, func(text, _ string) (string, error) {
				edited, path, err := inEditor(c.Context, text)
				kept = path
				return edited, err
			})
			if err != nil && kept != "" {
				return fmt.Errorf("%w\nwhat you edited is in %s", err, kept)
			}
			if kept != "" {
				return os.RemoveAll(filepath.Dir(kept))
			}
			return err
		}}
}

// ErrUnchanged is returned where an editor left the text as it was.
var ErrUnchanged = errors.New("the document was not edited; nothing was changed")

// inEditor returns what a person makes of a text, and the file that it is in; no file where it is
// as it was.
func inEditor(ctx context.Context, text string) (edited, path string, err error) {
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
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", "", err
	}
	editor := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	editor.Stdin, editor.Stdout, editor.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := editor.Run(); err != nil {
		return "", "", fmt.Errorf("the editor %s: %w; nothing was changed", words[0], err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", "", err
	}
	if info.Size() > mostEdited {
		return "", file, fmt.Errorf("the document has %d bytes, and %d is the most", info.Size(), mostEdited)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	if bytes.Equal(data, []byte(text)) {
		return "", "", ErrUnchanged
	}
	return string(data), file, nil
}

func firstOf(words ...string) string {
	for _, word := range words {
		if strings.TrimSpace(word) != "" {
			return word
		}
	}
	return ""
}
