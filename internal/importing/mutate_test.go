package importing_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/cib"
	"github.com/clusterd/clusterd/internal/importing/rgconf"
)

// rounds of each example.
const rounds = 40

type translate func(file string, text []byte, definitions importing.Definitions) (*importing.Draft,
	*importing.Report, error)

// TestWhateverIsWrittenTheDocumentIsValid changes the examples at random -
// elements twice or gone, attributes gone or with another value - and each document
// that is made of them passes `config check`, but for faults that only a person can
// mend; the command tells those.
func TestWhateverIsWrittenTheDocumentIsValid(t *testing.T) {
	for pattern, importer := range map[string]translate{"rgconf/testdata/*.conf": rgconf.Translate,
		"cib/testdata/*.xml": cib.Translate} {
		sources, err := filepath.Glob(pattern)
		if err != nil || len(sources) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, source := range sources {
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			definitions := importing.Definitions{ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }}
			random := rand.New(rand.NewPCG(7, uint64(len(text))))
			for round := range rounds {
				changed := mutate(t, random, text)
				draft, report, err := importer(source, changed, definitions)
				var fault importing.Fault
				if errors.As(err, &fault) {
					continue
				}
				if err != nil {
					t.Fatalf("%s, round %d: %v", source, round, err)
				}
				document, err := draft.Text(source)
				if err != nil {
					t.Fatal(err)
				}
				readFile := func(path string) ([]byte, error) {
					if slices.Contains(draft.Missing, path) {
						return importing.StandIn(path), nil
					}
					return nil, os.ErrNotExist
				}
				_, err = config.Prepare("document", []byte(document), readFile)
				if err != nil && !aPersonsFault(err) {
					t.Errorf("%s, round %d: %v\n%s\nfrom:\n%s", source, round, err, document, changed)
					return
				}
				if err := report.Write(io.Discard, source); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// aPersonsFault reports whether a document's fault was the source's: what it says
// cannot be, and only a person knows which part of it to give up.
func aPersonsFault(err error) bool {
	return slices.ContainsFunc([]string{"could write to the disk", "one of the two machines would be shot for the other",
		"could never all run"}, func(words string) bool { return strings.Contains(err.Error(), words) })
}

// piece is an element with its tokens, or a text.
type piece struct {
	start    *xml.StartElement
	children []*piece
}

func mutate(t *testing.T, random *rand.Rand, text []byte) []byte {
	t.Helper()
	top := read(t, text)
	var all []*piece
	var values []string
	collect(top, &all, &values)
	for range 1 + random.IntN(4) {
		p := all[random.IntN(len(all))]
		switch kind := random.IntN(5); {
		case kind == 0 && len(p.children) > 0: // one child gone
			i := random.IntN(len(p.children))
			p.children = slices.Delete(p.children, i, i+1)
		case kind == 1 && len(p.children) > 0: // one child twice
			p.children = append(p.children, p.children[random.IntN(len(p.children))])
		case kind == 2 && len(p.start.Attr) > 0: // an attribute gone
			i := random.IntN(len(p.start.Attr))
			p.start.Attr = slices.Delete(p.start.Attr, i, i+1)
		case kind == 3 && len(p.start.Attr) > 0: // another's value
			p.start.Attr[random.IntN(len(p.start.Attr))].Value = values[random.IntN(len(values))]
		case kind == 4 && len(p.start.Attr) > 0:
			strange := []string{"", " ", "-1", "0", "999999999999", "ä ö", "a\nb", "*", "x:y", "true", "null", "~", "\"q\"",
				"a: b", "- x", "INFINITY", "0x10", "1e3", "{}", "#"}
			p.start.Attr[random.IntN(len(p.start.Attr))].Value = strange[random.IntN(len(strange))]
		}
	}
	var out bytes.Buffer
	encoder := xml.NewEncoder(&out)
	write(t, encoder, top)
	if err := encoder.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(t *testing.T, text []byte) *piece {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(text))
	root := &piece{}
	open := []*piece{root}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root.children[0]
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			start := token.Copy()
			p := &piece{start: &start}
			top := open[len(open)-1]
			top.children = append(top.children, p)
			open = append(open, p)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func collect(p *piece, all *[]*piece, values *[]string) {
	*all = append(*all, p)
	for _, a := range p.start.Attr {
		*values = append(*values, a.Value)
	}
	for _, child := range p.children {
		collect(child, all, values)
	}
}

func write(t *testing.T, encoder *xml.Encoder, p *piece) {
	t.Helper()
	if err := encoder.EncodeToken(*p.start); err != nil {
		t.Fatal(err)
	}
	for _, child := range p.children {
		write(t, encoder, child)
	}
	if err := encoder.EncodeToken(p.start.End()); err != nil {
		t.Fatal(err)
	}
}
