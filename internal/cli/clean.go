package cli

import (
	"io"

	"github.com/clusterd/clusterd/internal/plain"
)

// Clean takes out of a text of one line what a terminal would obey.
func Clean(text string) string { return plain.Text(text) }

func clean(text string) string { return plain.Text(text) }

// CleanWriter cleans whole texts of several lines on their way to a terminal. No text that is
// written to it may end within a character.
func CleanWriter(to io.Writer) io.Writer { return cleanWriter{to} }

type cleanWriter struct{ to io.Writer }

func (w cleanWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.to, plain.Lines(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
