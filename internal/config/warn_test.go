package config

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Law L9: what the firmware of two VMs writes into is a disk like any other.
func TestOneFileOfVariablesForTwoVMsIsRefused(t *testing.T) {
	one := "<domain type='kvm'><name>x</name><uuid>" + uuidA + "</uuid><os><nvram>/srv/vars.fd</nvram></os></domain>"
	two := strings.ReplaceAll(strings.Replace(one, "<name>x", "<name>y", 1), uuidA, uuidB)
	text := "cluster: a\nservices:\n  vm:x:\n    definition: \"" + one + "\"\n  vm:y:\n    definition: \"" + two + "\"\n"
	_, err := Parse("d", []byte(text), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "vm:y could write to the disk file:/srv/vars.fd, and so "+
		"could vm:x") {
		t.Errorf("said %v", err)
	}
}

func TestWarningsOfWhatOneNodesLossMakesImpossible(t *testing.T) {
	const nodes = "cluster: a\nnodes: {n1: {}, n2: {}, n3: {}}\n"
	service := func(name, rest string) string {
		return "  service:" + name + ": {resources: [{type: \"systemd:" + name + "\"}]" + rest + "}\n"
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing": {nodes + "services:\n" + service("a", "") + service("b", ", apart: [\"service:a\"]"), nil},
		"one node only": {nodes + "domains:\n  one: {restricted: true, members: " +
			"[n1]}\nservices:\n" + service("a", ", domain: one"),
			[]string{"d:6:3: warning: service:a may run on n1 only (domain one): while that node is down, it is down"}},
		"one in common": {nodes + "domains:\n  l: {restricted: true, members: [n1, n2]}\n  r: {restricted: " +
			"true, members: [n2, n3]}\nservices:\n" +
			service("a", ", domain: l") + service("b", ", domain: r, together: [\"service:a\"]"),
			[]string{"d:7:3: warning: services service:a and service:b run together, and n2 is the only node that " +
				"all their domains allow: while that is down, they do not run together"}},
		"as many as nodes": {nodes + "services:\n" + service("a", "") + service("b", ", apart: [\"service:a\"]") +
			service("c", ", apart: [\"service:a\", \"service:b\"]"),
			[]string{"d:4:3: warning: no two of the services service:a, service:b and service:c may share a node, " +
				"and there are 3 nodes for them (n1, n2 and n3): when one is down, one of them does not run"}},
		"as many as members": {nodes + "domains:\n  l: {restricted: true, members: [n1, n2]}\nservices:\n" +
			service("a", ", domain: l, exclusive: true") + service("b", ", domain: l"),
			[]string{"d:6:3: warning: no two of the services service:a and service:b may share a node, and there " +
				"are 2 nodes for them (n1 and n2): when one is down, one of them does not run"}},
		"any certificate": {"cluster: a\ndevices:\n  b: {driver: redfish, address: 10.0.0.9, username: a, password: b, " +
			"options: {insecure: \"true\"}}\n",
			[]string{"d:3:3: warning: device b believes any certificate (insecure): who sits between this cluster and the " +
				"BMC learns the password and can say that a machine is off. Give fingerprint or ca instead"}},
		"two nodes": {"cluster: a\nnodes: {n1: {}, n2: {}}\n",
			[]string{"d:2:9: warning: there are two nodes and no two_node: when one is lost, the other has no " +
				"quorum and starts nothing. Say two_node, or add a witness"}},
	} {
		parsed, err := Parse("d", []byte(c.text), nil, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := parsed.Warnings.Lines(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s", name, strings.Join(got, "\n"))
		}
	}
}

// A document whose rules are too many to be judged is taken, and says so.
func TestAThicketOfRulesIsTakenWithAWarning(t *testing.T) {
	var text strings.Builder
	text.WriteString("cluster: a\nnodes: {")
	for i := range 14 {
		fmt.Fprintf(&text, "n%d: {}, ", i)
	}
	text.WriteString("}\nservices:\n")
	random := rand.New(rand.NewPCG(7, 7))
	for i := range 1200 {
		fmt.Fprintf(&text, "  service:s%d: {resources: [{type: \"systemd:s%d\"}], apart: [", i, i)
		for _, other := range random.Perm(200)[:mostRules] {
			if other != i%200 {
				fmt.Fprintf(&text, "\"service:s%d\", ", i/200*200+other)
			}
		}
		text.WriteString("]}\n")
	}
	parsed, err := Parse("d", []byte(text.String()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(parsed.Warnings.Lines(), "\n")
	if !strings.Contains(said, "it was not worked out to the end whether all of them could run at once") {
		t.Errorf("it says %q", said)
	}
}

// A ring that is too long to be searched is taken in the same way, not in silence.
func TestARingThatWasNotSearchedIsTakenWithAWarning(t *testing.T) {
	var text strings.Builder
	text.WriteString("cluster: a\nnodes: {n1: {}, n2: {}}\nservices:\n")
	const of = 67
	for i := range of {
		next := (i + 1) % of
		fmt.Fprintf(&text, "  service:s%d: {resources: [{type: \"systemd:s%d\"}], apart: [\"service:s%d\"]}\n", i, i, next)
	}
	parsed, err := Parse("d", []byte(text.String()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(parsed.Warnings.Lines(), "\n")
	if !strings.Contains(said, "it was not worked out to the end whether all of them could run at once") {
		t.Errorf("it says %q", said)
	}
}
