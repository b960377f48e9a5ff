package importing_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/cib"
	"github.com/clusterd/clusterd/internal/importing/rgconf"
)

// sources are the examples by the importer that reads them.
func sources(t *testing.T) map[string]translate {
	t.Helper()
	found := map[string]translate{}
	for pattern, importer := range map[string]translate{"rgconf/testdata/*.conf": rgconf.Translate,
		"cib/testdata/*.xml": cib.Translate} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no example, %v", pattern, err)
		}
		for _, path := range paths {
			found[path] = importer
		}
	}
	return found
}

// instant is when the dates of the examples are judged.
var instant = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// missing are definitions of a host that has none.
var missing = importing.Definitions{ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist }, Now: instant}

// place names an attribute of a source.
type place struct {
	element   *importing.Element
	attribute string
}

func (p place) String() string {
	return fmt.Sprintf("line %d: %s of <%s>", p.element.Line, p.attribute, p.element.Name)
}

// verdicts are what a report says of each attribute.
func verdicts(report *importing.Report) map[place][]importing.Kind {
	found := map[place][]importing.Kind{}
	for _, f := range report.Findings {
		for _, name := range f.Attributes {
			at := place{f.Element, name}
			found[at] = append(found[at], f.Kind)
		}
	}
	return found
}

// TestNoVerdictContradictsAnother: what is said more than once of an attribute is
// of one kind each time.
func TestNoVerdictContradictsAnother(t *testing.T) {
	for source, importer := range sources(t) {
		text := fileOf(t, source)
		_, report, err := importer(source, text, missing)
		if err != nil {
			t.Fatal(err)
		}
		for at, kinds := range verdicts(report) {
			for _, kind := range kinds[1:] {
				if kind != kinds[0] {
					t.Errorf("%s, %s: %v", source, at, kinds)
					break
				}
			}
		}
	}
}

// chance are attributes of the examples without which the document is the same by
// chance: something else of the example says it again.
var chance = map[string]string{
	"cib/testdata/references.xml rule on-r1":           "without a score the rule is as good as the best, which it is",
	"cib/testdata/rules.xml rsc_location rc-time":      "other rules name the same nodes",
	"cib/testdata/rules.xml rule rct":                  "other rules name the same nodes",
	"cib/testdata/rules.xml date_expression rct1":      "other rules name the same nodes",
	"rgconf/testdata/domains.conf failoverdomainnode ": "the second entry of the node takes its place",
	"rgconf/testdata/membership.conf clusternode ":     "the second entry of the node takes its place",
	"rgconf/testdata/subtrees.conf action ":            "the one file system says every depth itself",
}

// TestWhatIsTranslatedIsInTheDocument: without an attribute that is said to be
// translated, the document is another one.
func TestWhatIsTranslatedIsInTheDocument(t *testing.T) {
	for source, importer := range sources(t) {
		draft, report, err := importer(source, fileOf(t, source), missing)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := draft.Text(source)
		if err != nil {
			t.Fatal(err)
		}
		for at, kinds := range verdicts(report) {
			if kinds[0] != importing.Translated || chance[source+" "+at.element.Name+" "+at.element.Get("id")] != "" {
				continue
			}
			without, _, err := importer(source, written(at), missing)
			if err != nil {
				continue // It is no configuration without it.
			}
			if text, err := without.Text(source); err != nil || text == whole {
				t.Errorf("%s, %s is said to be translated, and the document is the same without it (%v)", source, at, err)
			}
		}
	}
}

// written is the source of a place without the attribute there.
func written(without place) []byte {
	top := without.element
	for top.Parent != nil {
		top = top.Parent
	}
	var out strings.Builder
	writeElement(&out, top, without)
	return []byte(out.String())
}

// writeElement leaves a pair out whole: its parts mean nothing alone.
func writeElement(out *strings.Builder, e *importing.Element, without place) {
	if e == without.element && e.Name == "nvpair" {
		return
	}
	out.WriteString("<" + e.Name)
	for _, a := range e.Attributes {
		if e == without.element && a.Name == without.attribute {
			continue
		}
		out.WriteString(" " + a.Name + `="`)
		_ = xml.EscapeText(out, []byte(a.Value))
		out.WriteString(`"`)
	}
	out.WriteString(">")
	_ = xml.EscapeText(out, []byte(e.Text))
	for _, child := range e.Children {
		writeElement(out, child, without)
	}
	out.WriteString("</" + e.Name + ">")
}

func fileOf(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
