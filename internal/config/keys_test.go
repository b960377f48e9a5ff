package config

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/manual"
	"github.com/clusterd/clusterd/resources"
)

// draft is a document that is put together from samples.
type draft struct {
	top                                         map[string]string
	node, web, twoNode, fencing, drills, domain string
	devices, networks, services, alerts         []string
}

// vmOf begins a VM of the draft, with a definition of its own.
func (d *draft) vmOf(entry string) {
	n := len(d.services)
	d.services = append(d.services, fmt.Sprintf("vm:s%d: {%s%s}", n, entry, unlessIn(entry, "definition",
		fmt.Sprintf(`, definition: "<domain><name>s%d</name><uuid>00000000-0000-4000-8000-%012d</uuid></domain>"`, n, n))))
}

// partsOf makes a service of resources.
func (d *draft) partsOf(entry string) {
	d.services = append(d.services, fmt.Sprintf("service:s%d: {%s}", len(d.services), entry))
}

func unlessIn(text, part, otherwise string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return otherwise
}

// text is the draft in YAML.
func (d *draft) text() string {
	top := maps.Clone(d.top)
	if top == nil {
		top = map[string]string{}
	}
	set := func(name, entries string) {
		if entries != "" {
			top[name] = "{" + entries + "}"
		}
	}
	fencing := d.fencing
	if d.drills != "" {
		fencing = strings.TrimPrefix(fencing+", drills: {"+d.drills+"}", ", ")
	}
	set("fencing", fencing)
	set("web", d.web)
	set("two_node", d.twoNode)
	set("nodes", "node1: {"+d.node+unlessIn(d.node, "fence", ", fence: [[b1]]")+"}, node2: {fence: [[b2]]}")
	set("devices", strings.Join(append([]string{"b1: {driver: ipmi, address: 10.0.0.1}",
		"b2: {driver: ipmi, address: 10.0.0.2}", "b3: {driver: ipmi, address: 10.0.0.3}"}, d.devices...), ", "))
	set("domains", strings.TrimSuffix("main: {members: [node1]}, other: {members: [node2]}, d: {"+d.domain+
		unlessIn(d.domain, "members", ", members: [node1, node2]")+"}", ", "))
	set("networks", strings.Join(append([]string{"blue: {vlan: 20}"}, d.networks...), ", "))
	set("resources", `ip: {type: "ocf:heartbeat:IPaddr2", parameters: {ip: 10.0.0.5}}, `+
		`ip2: {type: "ocf:heartbeat:IPaddr2", parameters: {ip: 10.0.0.6}}`)
	set("services", strings.Join(append([]string{`vm:b: {definition: "<domain><name>b</name><uuid>` + uuidB +
		`</uuid></domain>"}`,
		`vm:c: {definition: "<domain><name>c</name><uuid>` + uuidB[:35] + `c</uuid></domain>"}`}, d.services...), ", "))
	set("alerts", strings.Join(d.alerts, ", "))
	if top["cluster"] == "" {
		top["cluster"] = "a"
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(top)) {
		text.WriteString(name + ": " + strings.ReplaceAll(top[name], "{, ", "{") + "\n")
	}
	return text.String()
}

// sample is two values of a key, and what else a thing needs to have it.
type sample struct{ one, other, with string }

// row is what the tests ask of a row.
type row struct {
	name   string
	effect Effect
}

// kind is a table under test.
type kind struct {
	name string
	rows []row
	// page, heading and number say where the reference has the table: lines are what it says there.
	page, heading string
	number        int
	lines         []string
	// within is the row of another table that explains the keys, which have no table on a page.
	within string
	put    func(d *draft, entry string)
	// alone: a thing has not all of the keys at once, and the whole document has a thing for each.
	alone   bool
	samples map[string]sample
}

func rowsOf[P, T any](table []keys.Key[P, T]) []row {
	var rows []row
	for _, k := range table {
		rows = append(rows, row{k.Name, k.Effect})
	}
	return rows
}

func meaning[P, T any](table []keys.Key[P, T], name string) string {
	for _, k := range table {
		if k.Name == name {
			return k.Means
		}
	}
	return ""
}

func kinds(t *testing.T) []kind {
	t.Helper()
	authority, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }
	alertSamples["ca"] = sample{quoted(string(authority)), quoted(string(authority) + "\n"), "url: https://h/"}
	return slices.Concat(kindsAtTop(), kindsOfHosts(), kindsOfServices())
}

// fileOfSample is what the files of samples hold.
func fileOfSample(path string) ([]byte, error) {
	switch path {
	case "/one.xml", "/other.xml":
		return []byte("<domain><name>" + strings.Trim(path, "/") + "</name><uuid>" + uuidA[:35] + "f</uuid></domain>"), nil
	case "/one.pem", "/other.pem":
		authority, err := os.ReadFile("testdata/ca.pem")
		return append([]byte("# "+path+"\n"), authority...), err
	case "/hushurl1", "/hushurl2":
		return []byte("https://" + strings.Trim(path, "/") + "/"), nil
	}
	return []byte(strings.Trim(path, "/") + "\n"), nil
}

// readSample reads a document, and what was kept and shown of it must read the same.
func readSample(t *testing.T, about, text string) cluster.Document {
	t.Helper()
	parsed, err := Parse("d", []byte(text), fileOfSample, nil)
	if err != nil {
		t.Fatalf("%s: %v\n%s", about, err, text)
	}
	shown := rewrite.Redact(parsed.Text)
	for from, read := range map[string]func() (Parsed, error){
		"kept":  func() (Parsed, error) { return Parse("kept", []byte(parsed.Text), nil, nil) },
		"shown": func() (Parsed, error) { return Parse("shown", []byte(shown), nil, &parsed.Document) },
	} {
		again, err := read()
		if err != nil {
			t.Fatalf("%s: what is %s is not read: %v\n%s", about, from, err, shown)
		}
		if difference := cmp.Diff(parsed.Document, again.Document); difference != "" {
			t.Errorf("%s: what is %s is read as something else:\n%s", about, from, difference)
		}
	}
	if told := shown + Print(parsed.Document); strings.Contains(told, "hush") {
		t.Errorf("%s: a secret is shown:\n%s", about, told)
	}
	return parsed.Document
}

// TestTheReferenceIsTheTable: each key of the pages is a row, and each row is there. REWRITE=1
// writes the pages anew.
func TestTheReferenceIsTheTable(t *testing.T) {
	pages := map[string]string{}
	for _, k := range kinds(t) {
		if k.page == "" {
			for _, r := range k.rows {
				if !strings.Contains(k.within, r.name) {
					t.Errorf("nothing explains %s of a %s", r.name, k.name)
				}
			}
			continue
		}
		if pages[k.page] == "" {
			text, err := os.ReadFile(k.page)
			if err != nil {
				t.Fatal(err)
			}
			pages[k.page] = string(text)
		}
		renewed, found := keys.Renew(pages[k.page], k.heading, k.number, k.lines)
		if !found {
			t.Fatalf("%s has no table %d below %q", k.page, k.number, k.heading)
		}
		pages[k.page] = renewed
	}
	for page, text := range pages {
		manual.Same(t, page, text)
	}
}

// TestEachKeyHasAMeaning: a key is explained, or stands beside one that is.
func TestEachKeyHasAMeaning(t *testing.T) {
	for _, k := range kinds(t) {
		for _, line := range k.lines {
			if strings.HasSuffix(line, "|  |") {
				t.Errorf("nothing says what a key of a %s means: %s", k.name, line)
			}
		}
	}
}

// TestCommandLinesSetWhatTheDocumentHas: a move can be made otherwise than declared in each part.
func TestCommandLinesSetWhatTheDocumentHas(t *testing.T) {
	var declared, set []string
	for _, k := range migrationKeys {
		declared = append(declared, k.Name)
	}
	for _, part := range resources.MoveParts {
		set = append(set, part.Name)
	}
	if !slices.Equal(declared, set) {
		t.Errorf("the document declares %q, and command lines set %q", declared, set)
	}
}

// TestAChangeOfEachKeyIsTold: what can be written can be changed, and the plan tells it with the
// effect of the key's row.
func TestAChangeOfEachKeyIsTold(t *testing.T) {
	for _, k := range kinds(t) {
		for _, r := range k.rows {
			s, tried := k.samples[r.name]
			section := k.name == "document" && r.effect == ""
			if section || s.one == s.other && tried { // its entries are tried, or there is one value only
				continue
			}
			if !tried {
				t.Errorf("%s of a %s has no sample", r.name, k.name)
				continue
			}
			var documents [2]cluster.Document
			for i, value := range []string{s.one, s.other} {
				var d draft
				k.put(&d, strings.TrimSuffix(r.name+": "+value+", "+s.with, ", "))
				documents[i] = readSample(t, k.name+" "+r.name, d.text())
			}
			told := Plan(documents[0], documents[1])
			is := func(c Change) bool { return c.Effect == r.effect }
			if !slices.ContainsFunc(told, is) || len(told) != 1 && r.effect != EffectStart {
				t.Errorf("%s of a %s is to be changed %q: %+v", r.name, k.name, r.effect, told)
			}
			if text := fmt.Sprint(told); strings.Contains(text, "hush") {
				t.Errorf("a change of %s of a %s shows a secret: %s", r.name, k.name, text)
			}
		}
	}
}

// TestADocumentWithEveryKeyIsReadBack: whatever the values, the text that is kept and the one that
// is shown mean the same.
func TestADocumentWithEveryKeyIsReadBack(t *testing.T) {
	explained := map[string]bool{"fencing": true, "two_node": true, "web": true, "drills": true}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var d draft
		for _, k := range kinds(t) {
			var all []string
			for _, r := range k.rows {
				s, tried := k.samples[r.name]
				if !tried || explained[r.name] {
					continue // its own keys are written
				}
				value := []string{s.one, s.other}[random.IntN(2)]
				if r.name == "exclusive" { // two nodes have no room for one beside two that are apart
					value = "false"
				}
				entry := r.name + ": " + value
				if all = append(all, entry); k.alone {
					k.put(&d, strings.TrimSuffix(entry+", "+s.with, ", "))
				}
			}
			switch {
			case k.name == "document":
				k.put(&d, strings.Join(all, "; "))
			case k.put != nil && !k.alone:
				k.put(&d, strings.Join(all, ", "))
			}
		}
		readSample(t, "every key", d.text())
	}
}
