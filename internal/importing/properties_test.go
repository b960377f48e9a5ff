package importing_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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

// verdicts are what a report says of each attribute, and, under "", of each element
// as a whole.
func verdicts(report *importing.Report) map[place][]importing.Kind {
	found := map[place][]importing.Kind{}
	for _, f := range report.Findings {
		if len(f.Attributes) == 0 {
			at := place{f.Element, ""}
			found[at] = append(found[at], f.Kind)
		}
		for _, name := range f.Attributes {
			at := place{f.Element, name}
			found[at] = append(found[at], f.Kind)
		}
	}
	return found
}

// holders are the elements that say nothing by themselves: they hold others.
var holders = strings.Fields("configuration crm_config cluster_property_set nodes resources operations " +
	"instance_attributes meta_attributes utilization constraints fencing-topology rsc_defaults op_defaults tags alerts " +
	"clusternodes fencedevices fence unfence rm failoverdomains events resource-defaults cman")

// names are attributes that only tell elements apart: the label of each sentence
// about the element shows them.
func names(e *importing.Element, attribute string) bool {
	switch attribute {
	case "id":
		return !strings.HasSuffix(e.Name, "_ref")
	case "name":
		return e.Name == "op" || e.Name == "method"
	case "interval":
		span, err := importing.ReadSpan(e.Get("interval"))
		return e.Name == "op" && err == nil && span == 0 && e.Get("name") != "monitor"
	}
	return false
}

// unspoken are the parts of a source that have no verdict, or several.
func unspoken(e *importing.Element, found map[place][]importing.Kind) (faults []string) {
	if e.Name == "status" {
		return nil // It has one verdict with all that is below it.
	}
	spoken := len(found[place{e, ""}]) > 0
	for _, name := range e.Names() {
		count := len(found[place{e, name}])
		spoken = spoken || count > 0
		if count > 1 || count == 0 && !names(e, name) {
			faults = append(faults, fmt.Sprintf("%s has %d verdicts", place{e, name}, count))
		}
	}
	if count := len(found[place{e, ""}]); count > 1 || !spoken && !slices.Contains(holders, e.Name) {
		faults = append(faults, fmt.Sprintf("line %d: <%s> as a whole has %d verdicts", e.Line, e.Name, count))
	}
	for _, child := range e.Children {
		faults = append(faults, unspoken(child, found)...)
	}
	return faults
}

// beside are the definitions in the folder of an example.
func beside(source string) importing.Definitions {
	folder := filepath.Join(filepath.Dir(source), "definitions")
	return importing.Definitions{Folder: folder, Now: instant, ReadFile: func(path string) ([]byte, error) {
		if filepath.Dir(path) != folder {
			return nil, os.ErrNotExist
		}
		return os.ReadFile(path)
	}}
}

// TestEachPartHasOneVerdict: each attribute of a source, and each element that says
// something, has one verdict; whatever is written, and whether the VMs' definitions
// are found or not.
func TestEachPartHasOneVerdict(t *testing.T) {
	for source, importer := range sources(t) {
		text := fileOf(t, source)
		judgeParts(t, source, importer, text, missing)
		judgeParts(t, source, importer, text, beside(source))
		random := rand.New(rand.NewPCG(9, uint64(len(text))))
		for range rounds {
			judgeParts(t, source, importer, mutate(t, random, text), beside(source))
		}
	}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 14))
		judgeParts(t, fmt.Sprintf("CIB of seed %d", seed), cib.Translate, []byte(randomCIB(r).text.String()), missing)
		judgeParts(t, fmt.Sprintf("terse CIB of seed %d", seed), cib.Translate,
			[]byte(terseCIB(rand.New(rand.NewPCG(seed, 17)))), missing)
	}
}

func judgeParts(t *testing.T, source string, importer translate, text []byte, definitions importing.Definitions) {
	t.Helper()
	_, report, err := importer(source, text, definitions)
	if err != nil {
		return // It is no configuration.
	}
	top := report.Findings[0].Element
	for top.Parent != nil {
		top = top.Parent
	}
	if faults := unspoken(top, verdicts(report)); len(faults) > 0 {
		t.Errorf("%s: %s\n%.6000s", source, strings.Join(faults, "\n"), text)
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
		for _, definitions := range []importing.Definitions{missing, beside(source)} {
			judgeTranslated(t, source, importer, fileOf(t, source), definitions, 0)
		}
	}
	// Of what is written at random a few attributes of each source, since each takes a translation;
	// DEEP=1 takes all.
	sources, most := uint64(60), 10
	if os.Getenv("DEEP") != "" {
		sources, most = 150, 0
	}
	for seed := range sources {
		judgeTranslated(t, fmt.Sprintf("CIB of seed %d", seed), cib.Translate,
			[]byte(terseCIB(rand.New(rand.NewPCG(seed, 17)))), missing, most)
		judgeTranslated(t, fmt.Sprintf("cluster.conf of seed %d", seed), rgconf.Translate,
			[]byte(randomConf(rand.New(rand.NewPCG(seed, 16))).text.String()), missing, most)
	}
}

// judgeTranslated judges a source; at most so many attributes of it, where that is not 0.
func judgeTranslated(t *testing.T, source string, importer translate, text []byte, definitions importing.Definitions,
	most int) {
	t.Helper()
	draft, report, err := importer(source, text, definitions)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := draft.Text(source)
	if err != nil {
		t.Fatal(err)
	}
	places := translatedPlaces(source, report)
	if most > 0 && most < len(places) {
		random := rand.New(rand.NewPCG(18, uint64(len(text))))
		random.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
		places = places[:most]
	}
	for _, at := range places {
		without, _, err := importer(source, written(at), definitions)
		if err != nil {
			continue // It is no configuration without it.
		}
		if text, err := without.Text(source); err != nil || text == whole {
			t.Errorf("%s, %s is said to be translated, and the document is the same without it (%v)", source, at, err)
		}
	}
}

// translatedPlaces are the attributes that a report says are translated, in its order, but for
// those that say again what others say.
func translatedPlaces(source string, report *importing.Report) (places []place) {
	for _, f := range report.Findings {
		if f.Kind != importing.Translated || chance[source+" "+f.Element.Name+" "+f.Element.Get("id")] != "" {
			continue
		}
		names := f.Attributes
		if f.Element.Name == "nvpair" {
			names = names[:min(len(names), 1)] // It is left out whole, see writeElement.
		}
		for _, name := range names {
			places = append(places, place{f.Element, name})
		}
	}
	return places
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

// TestTheStatusChangesNothing: what ran where is not configuration, whatever ids it
// repeats.
func TestTheStatusChangesNothing(t *testing.T) {
	compare := func(source, text string) {
		t.Helper()
		from, to := strings.Index(text, "<status>"), strings.Index(text, "</status>")
		if from < 0 {
			return
		}
		var documents []string
		for _, each := range []string{text, text[:from] + text[to+len("</status>"):]} {
			draft, _, err := cib.Translate(source, []byte(each), beside(source))
			if err != nil {
				t.Fatal(err)
			}
			document, err := draft.Text(source)
			if err != nil {
				t.Fatal(err)
			}
			documents = append(documents, document)
		}
		if documents[0] != documents[1] {
			t.Errorf("%s: without its status the document is\n%s\nand with it\n%s", source, documents[1], documents[0])
		}
	}
	for source := range sources(t) {
		if strings.HasSuffix(source, ".xml") {
			compare(source, string(fileOf(t, source)))
		}
	}
	for seed := range uint64(200) {
		compare("random", randomCIB(rand.New(rand.NewPCG(seed, 14))).text.String())
	}
}
