package message

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var (
	testGone  = New("test-gone", "gone from {node}[: {reason}]")
	testOpen  = New("test-open", "{acts#act} on {nodes} since {since}; {node}, {node}[ ({by}[ for {why}])]")
	testEmpty = New("test-empty", "nothing to add")
)

func TestASentenceIsMadeWhereItIsRead(t *testing.T) {
	for _, c := range []struct {
		text Text
		want string
	}{
		{testGone.With("node1", ""), "gone from node1"},
		{testGone.With("node1", testGone.With("node2", "it [crashed] {so}")),
			"gone from node1: gone from node2: it [crashed] {so}"},
		{testEmpty.With(), "nothing to add"},
		{testOpen.With(1, []string{"a"}, 5*time.Minute, "n", "", ""), "1 act on a since 5m; n, n"},
		{testOpen.With(2, []Text{Words("a"), testEmpty.With(), Words("c")}, 90*time.Second, "n", "root", ""),
			"2 acts on a, nothing to add and c since 1m30s; n, n (root)"},
		{testOpen.With(0, []string(nil), time.Hour, "n", "root", "why"), "0 acts on  since 1h0m; n, n (root for why)"},
		{Words("\x02no mark can be brought in"), "no mark can be brought in"},
		{Text{}, ""},
		{pack("said-by-a-newer-one", []Arg{{Name: "node", Values: []Text{Words("node1")}}}),
			`said-by-a-newer-one node="node1"`},
	} {
		if got := c.text.String(); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
		data, err := json.Marshal(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var again Text
		if err := json.Unmarshal(data, &again); err != nil || again != c.text {
			t.Errorf("%s is read as %q, want %q (%v)", data, again.packed, c.text.packed, err)
		}
	}
}

func TestATextsJSON(t *testing.T) {
	text := testGone.With("node1", testOpen.With(3, []string{"a", "<b>"}, time.Second, "n", "", ""))
	want := `{"code":"test-gone","args":{"node":"node1","reason":{"code":"test-open","args":` +
		`{"acts":"3","nodes":["a","<b>"],"since":"1s","node":"n","by":"","why":""}}}}`
	var b []byte
	var err error
	if b, err = text.MarshalJSON(); err != nil || string(b) != want {
		t.Errorf("got  %s (%v)\nwant %s", b, err, want)
	}
	if !text.Is(testEmpty, testGone) || text.Is(testEmpty) || text.Code() != "test-gone" || text.Arg("node") != "node1" {
		t.Errorf("code %s, node %q", text.Code(), text.Arg("node"))
	}
	if (Text{}).Is(testGone) || Words("test-gone").Is(testGone) {
		t.Error("words are taken for a code")
	}
}

func TestASentenceIsShownToThoseWhoDoNotKnowTheCatalogue(t *testing.T) {
	data := []byte(`{"code":"no_leader","message":"{\"code\":\"test-empty\"}","notes":[{"why":{"code":"test-empty"}},` +
		`{"why":{"code":"said-by-a-newer-one","args":{"node":{"code":"test-empty"}}},"next":"do"}]}`)
	want := `{"code":"no_leader","message":"{\"code\":\"test-empty\"}","notes":[{"why":{"code":"test-empty",` +
		`"text":"nothing to add"}},{"why":{"code":"said-by-a-newer-one","args":{"node":{"code":"test-empty"}},` +
		`"text":"said-by-a-newer-one node=\"nothing to add\""},"next":"do"}]}`
	got := Show(data)
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := Show(got); string(again) != want {
		t.Errorf("shown twice it is %s", again)
	}
	var text Text
	told := []byte(`{"code":"test-gone","args":{"node":"n"},"text":"as it was told"}`)
	if err := json.Unmarshal(told, &text); err != nil ||
		text.String() != "as it was told" || !text.Is(testGone) || len(text.Args()) != 1 {
		t.Errorf("%q of %v (%v)", text, text.Args(), err)
	}
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	for _, data := range []string{`5`, `{}`, `{"args":{}}`, `{"code":"a","more":1}`, `{"code":"a","args":[]}`,
		`{"code":"a","args":{"b":1}}`, `{"code":"a","args":{"":"b"}}`, `["a"]`, `{"code":"a","args":{"b":[["c"]]}}`,
		deep(deepest + 1)} {
		var text Text
		if err := json.Unmarshal([]byte(data), &text); err == nil {
			t.Errorf("%s is read as %q", data, text)
		}
	}
	var text Text
	if err := json.Unmarshal([]byte(deep(deepest-1)), &text); err != nil {
		t.Error(err)
	}
}

func deep(levels int) string {
	data := `"end"`
	for range levels {
		data = `{"code":"a","args":{"b":` + data + `}}`
	}
	return data
}

func TestARowThatIsNoneIsFoundAtOnce(t *testing.T) {
	for _, sentence := range []string{"open [bracket", "closed] bracket", "open {brace", "[a {b] c}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is a row", sentence)
				}
			}()
			New("test-none-"+sentence, sentence)
		}()
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x02w3:abcw1:bw2:cd")
	f.Add("words")
	f.Fuzz(func(t *testing.T, packed string) {
		_ = Text{packed}.String()
		text := testGone.With(packed, Text{packed})
		data, err := json.Marshal(testGone.With(Words(packed), packed))
		if err != nil {
			t.Fatal(err)
		}
		var again Text
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		_ = text.String()
	})
}

func TestNoWordOfATextIsLeftOut(t *testing.T) {
	text := testGone.With("no\x1bde", testGone.With("inner", Words("de\x07ep")))
	text.Clean(func(text string) string { return strings.Map(func(r rune) rune { return max(r, ' ') }, text) })
	if got := text.String(); got != "gone from no de: gone from inner: de ep" {
		t.Errorf("%q", got)
	}
}

// TestATextThatLiesTooDeepIsSaidInWords: whatever reason lies in a reason, what is written is read.
func TestATextThatLiesTooDeepIsSaidInWords(t *testing.T) {
	text, want := testEmpty.With(), "nothing to add"
	for range 3 * deepest {
		text, want = testGone.With("n", text), "gone from n: "+want
		text, want = testOpen.With(1, []Text{text}, "s", "n", "", ""), "1 act on "+want+" since s; n, n"
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var again Text
		if err := json.Unmarshal(data, &again); err != nil || again != text || again.String() != want ||
			text.depth() > deepest {
			t.Fatalf("of depth %d: %v\n%q\n%q", text.depth(), err, again, want)
		}
	}
}
