package importing

import (
	"errors"
	"strings"
	"testing"
)

func TestFaultsOfXMLHaveAPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a tag that is not closed", "<cluster>\n  <rm>\n</cluster>",
			"f:3:11: is not valid XML: element <rm> closed by </cluster>"},
		{"an attribute without quotes", "<cluster>\n  <rm log=7/>\n</cluster>",
			"f:2:12: is not valid XML: unquoted or missing attribute value in element"},
		{"the end is missing", "<cluster>\n<rm>", "f:2:5: is not valid XML: unexpected EOF"},
		{"an entity nobody declared", "<a>\n <b c='&x;'/></a>", "f:2:11: is not valid XML: invalid character entity &x;"},
		{"an external entity", "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>\n<a>&x;</a>",
			"f:2:1: has a document type or entity declaration, which is not read; remove it"},
		{"nothing", " \n", "f: is empty"},
		{"only a comment", "<!-- x -->", "f: holds no XML element"},
		{"text after the end", "<a/>\nx", "f:1:5: has text outside of its top element"},
		{"two tops", "<a/>\n <b/>", "f:2:2: has a second top element <b>"},
		{"twice the same", "<a>\n<b c='1' c='2'/></a>", "f:2:1: has the attribute c twice in <b>"},
		{"binary", "<a>\xff</a>", "f: is not UTF-8 text"},
		{"a bomb of depth", strings.Repeat("<a>", 100), "f:1:193: nests its elements deeper than 64"},
		{"too large", strings.Repeat(" ", LargestSource+1), "f: is larger than 8388608 bytes; is this the right file?"},
		{"too many", "<a>" + strings.Repeat("<b/>", mostElements) + "</a>", "f:1:800000: has more than 200000 elements"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadMarkup("f", []byte(c.text))
			var fault Fault
			if !errors.As(err, &fault) {
				t.Fatalf("no fault, but %v", err)
			}
			if got := fault.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestElementsAndAttributesKnowTheirPlaces(t *testing.T) {
	top, err := ReadMarkup("f",
		[]byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<é a=\"1\">\n  <b x='a>b=\"'\n\ty = \"2\" "+
			"ns:z=\"3\">text<!-- no --> more</b>\n</é>"))
	if err != nil {
		t.Fatal(err)
	}
	b := top.Child("b")
	if top.Line != 2 || b.Line != 3 || b.Column != 3 || b.Text != "text more" {
		t.Errorf("the elements stand at %d and %d:%d (%q)", top.Line, b.Line, b.Column, b.Text)
	}
	for _, want := range []Attribute{{Name: "x", Value: "a>b=\"", Line: 3, Column: 6},
		{Name: "y", Value: "2", Line: 4, Column: 2}, {Name: "ns:z", Value: "3", Line: 4, Column: 10}} {
		got := b.attribute(want.Name)
		if got == nil || *got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestNothingIsPassedOver(t *testing.T) {
	top, err := ReadMarkup("f", []byte("<a one='1' two='2'><b/><c passwd='hush'><d/></c></a>"))
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	r.Say(Translated, top, []string{"one"}, "told")
	r.Container(top.Child("b"))
	r.Rest(top)
	var out strings.Builder
	if err := r.Write(&out, "f"); err != nil {
		t.Fatal(err)
	}
	want := `f
    1  translated  a one="1": told
    1  cannot      a two="2": not known here; nothing is made of it
    1  cannot      c passwd="********": this element is not known here; nothing
                   is made of it
    1  cannot      d: goes with the c above
1 translated, 0 not needed, 0 change in meaning, 3 cannot be translated
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func FuzzReadMarkup(f *testing.F) {
	f.Add([]byte("<a b='1'><c/>text</a>"))
	f.Add([]byte("<a b = \"1'\" c='>'/>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		top, err := ReadMarkup("f", text)
		if err != nil {
			return
		}
		lines := strings.Count(string(text), "\n") + 1
		top.walk(func(e *Element) {
			if e.Line < 1 || e.Line > lines || e.Column < 1 {
				t.Errorf("<%s> is said to stand at %d:%d", e.Name, e.Line, e.Column)
			}
			for _, a := range e.Attributes {
				if a.Line < e.Line || a.Line > lines {
					t.Errorf("%s of <%s> is said to stand on line %d", a.Name, e.Name, a.Line)
				}
			}
		})
	})
}

// TestTheWorstThatIsSaidIsTheVerdict: what is said of one part at several times is one
// finding, with all the sentences.
func TestTheWorstThatIsSaidIsTheVerdict(t *testing.T) {
	top, err := ReadMarkup("f", []byte("<a one='1' two='2' three='3'/>"))
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	r.Say(Translated, top, []string{"one"}, "here it is")
	r.Say(Translated, top, []string{"two"}, "and here")
	r.Say(Unneeded, top, nil, "of the whole")
	r.Say(Cannot, top, []string{"two", "three"}, "lost after all")
	r.Say(Translated, top, nil, "made")
	r.Rest(top)
	var out strings.Builder
	if err := r.Write(&out, "f"); err != nil {
		t.Fatal(err)
	}
	want := `f
    1  translated  a one="1": here it is
    1  cannot      a two="2" three="3": and here; lost after all
    1  translated  a: of the whole; made
2 translated, 0 not needed, 0 change in meaning, 1 cannot be translated
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestTheMarkOfUTF8IsSkipped: Windows editors put it in front.
func TestTheMarkOfUTF8IsSkipped(t *testing.T) {
	top, err := ReadMarkup("f", []byte("\ufeff<?xml version='1.0'?>\n<a one='1'/>"))
	if err != nil || top.Name != "a" || top.Line != 2 || top.Column != 1 {
		t.Errorf("got %+v, %v", top, err)
	}
	top, err = ReadMarkup("f", []byte("\ufeff<a one='1'/>"))
	if err != nil || top.Column != 1 || top.Attributes[0].Column != 4 {
		t.Errorf("on the first line: %+v, %v", top, err)
	}
	var fault Fault
	if _, err = ReadMarkup("f", []byte("\ufeff")); !errors.As(err, &fault) || fault.Error() != "f: is empty" {
		t.Errorf("the mark alone: %v", err)
	}
	if _, err = ReadMarkup("f", []byte("<a/>\ufeff")); err == nil {
		t.Error("a mark behind the end is no mark, but text")
	}
}
