package cib

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

func TestWhatIsNoCIBIsRefusedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"<cluster/>":                      "f:1:1: is no CIB: its top element is <cluster>, and there is no <configuration>",
		"\n<cib><status/></cib>":          "f:2:1: is no CIB: its top element is <cib>, and there is no <configuration>",
		"<cib>\n <configuration>\n</cib>": "f:3:7: is not valid XML: element <configuration> closed by </cib>",
	} {
		if _, _, err := Translate("f", []byte(text), definitions); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestScoresAddUpAsPacemakerHasIt(t *testing.T) {
	for _, c := range []struct{ a, b, want int }{
		{100, 50, 150}, {infinity, 50, infinity}, {infinity, -infinity, -infinity}, {-infinity, infinity, -infinity},
		{infinity, -5, infinity}, {-infinity, 5, -infinity}, {infinity - 1, infinity - 1, infinity},
	} {
		if got := sum(c.a, c.b); got != c.want {
			t.Errorf("%d and %d are %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for text, want := range map[string]int{"INFINITY": infinity, "+INFINITY": infinity, "-infinity": -infinity, "7": 7,
		"-7": -7, "99999999": infinity} {
		if got, ok := score(text); !ok || got != want {
			t.Errorf("%s is %d (%t), want %d", text, got, ok, want)
		}
	}
	if _, ok := score("lots"); ok {
		t.Error("a word is taken for a score")
	}
}

func TestRulesAreWorkedOut(t *testing.T) {
	n := &node{name: "n1", id: "7", attributes: map[string]string{"cores": "16", "site": "east"}}
	for _, c := range []struct {
		expression string
		want       bool
	}{
		{`attribute="site" operation="eq" value="east"`, true},
		{`attribute="site" operation="ne" value="east"`, false},
		{`attribute="none" operation="ne" value="east"`, true},
		{`attribute="none" operation="eq" value="east"`, false},
		{`attribute="none" operation="not_defined"`, true},
		{`attribute="site" operation="defined"`, true},
		{`attribute="cores" operation="gt" value="9"`, true},
		{`attribute="cores" operation="gt" value="9" type="string"`, false},
		{`attribute="cores" operation="gte" value="16" type="integer"`, true},
		{`attribute="cores" operation="lte" value="16"`, true},
		{`attribute="cores" operation="lt" value="16"`, false},
		{`attribute="#uname" operation="eq" value="n1"`, true},
		{`attribute="#id" operation="eq" value="7"`, true},
		{`attribute="cores" operation="likes" value="16"`, false},
	} {
		e, err := importing.ReadMarkup("f", []byte("<expression "+c.expression+"/>"))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.meets(e); got != c.want {
			t.Errorf("%s is %t", c.expression, got)
		}
	}
}

// TestHostMapsAreTakenApart: entries and names end as Pacemaker has it.
func TestHostMapsAreTakenApart(t *testing.T) {
	for text, want := range map[string][]mapping{
		"":                nil,
		" ; \t;":          nil,
		"n1:1;n2:2,3":     {{"n1:1", "n1", "1"}, {"n2:2,3", "n2", "2,3"}},
		"n1=1 n2=2\tn3=3": {{"n1=1", "n1", "1"}, {"n2=2", "n2", "2"}, {"n3=3", "n3", "3"}},
		"n1:1\nn2=2":      {{"n1:1", "n1", "1"}, {"n2=2", "n2", "2"}},
		`n1:a\:b;n2=c\ d`: {{`n1:a\:b`, "n1", "a:b"}, {`n2=c\ d`, "n2", "c d"}},
		`n1:a\\`:          {{`n1:a\\`, "n1", `a\`}},
		"n1;n2:":          {{"n1", "", "n1"}, {"n2:", "n2", ""}},
		"n1:x:1":          {{"n1:x:1", "x", "1"}},
	} {
		if got := hostMap(text); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestAGroupKeepsItsOrder: whatever the types, a group's members start in their
// order and stop in the opposite one.
func TestAGroupKeepsItsOrder(t *testing.T) {
	kinds := []string{"ocf:heartbeat:IPaddr2", "ocf:heartbeat:Filesystem", "ocf:heartbeat:LVM-activate",
		"ocf:heartbeat:nginx", "systemd:x", "ocf:heartbeat:exportfs", "ocf:heartbeat:nfsserver"}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		var parts []resources.Resource
		for n := range 1 + random.IntN(8) {
			parts = append(parts, resources.Resource{Type: kinds[random.IntN(len(kinds))], Name: string(rune('a' + n))})
		}
		if tree := inOrder(parts); !keepsOrder(tree, parts) {
			t.Fatalf("round %d: %v becomes %v", round, parts, resources.StartOrder(tree))
		}
	}
}

// TestACIBWithTheMarkOfUTF8IsRead: the import command hands the bytes on as they are.
func TestACIBWithTheMarkOfUTF8IsRead(t *testing.T) {
	const text = "<cib><configuration><nodes><node id='1' uname='n1'/></nodes></configuration></cib>"
	draft, _, err := Translate("f", []byte("\ufeff"+text), definitions)
	if err != nil || !draft.Nodes.Has("n1") {
		t.Errorf("got %v", err)
	}
}
