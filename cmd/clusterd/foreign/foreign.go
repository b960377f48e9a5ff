package foreign

import (
	"io"
	"os"
	"slices"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/cib"
	"github.com/clusterd/clusterd/internal/importing/rgconf"
)

// formats are the importers by the words that name them, and by the top elements
// of what they read.
var formats = []struct {
	words     []string
	elements  []string
	translate func(file string, text []byte, definitions importing.Definitions) (*importing.Draft,
		*importing.Report, error)
}{
	{[]string{"cluster.conf", "rgmanager"}, []string{"cluster"}, rgconf.Translate},
	{[]string{"cib", "pacemaker"}, []string{"cib", "configuration"}, cib.Translate},
}

// Translate reads the text in the format that the word names; without one, its top element tells.
func Translate(word, path string, text []byte, definitions importing.Definitions) (*importing.Draft,
	*importing.Report, error) {
	for _, format := range formats {
		if slices.Contains(format.words, word) {
			return format.translate(path, text, definitions)
		}
	}
	if word != "" {
		return nil, nil, command.Usage("there is no importer %q; there are cluster.conf and cib", word)
	}
	top, err := importing.ReadMarkup(path, text)
	if err != nil {
		return nil, nil, err
	}
	for _, format := range formats {
		if slices.Contains(format.elements, top.Name) {
			return format.translate(path, text, definitions)
		}
	}
	return nil, nil, importing.Fault{File: path, Line: top.Line, Column: top.Column,
		Message: "is neither a cluster.conf nor a CIB: its top element is <" + top.Name + ">"}
}

// ReadBounded reads a file up to a byte more than any reader takes, so that a
// wrong path is no way to fill the memory.
func ReadBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, importing.LargestSource+1))
}
