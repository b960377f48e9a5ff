package config

import (
	"strings"
	"testing"
	"time"
)

const twoHosts = `cluster: a
nodes:
  node1: {fence: [[bmc1]]}
  node2: {fence: [[bmc2]]}
devices:
  bmc1: {driver: ipmi, address: 10.0.0.1, username: u, password: p}
  bmc2: {driver: ipmi, address: 10.0.0.2, username: u, password: p}
`

func TestTwoNodeIsRead(t *testing.T) {
	parsed, err := Parse("d", []byte(twoHosts+"two_node: {favour: node2, delay: 5s}\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rule := parsed.Document.TwoNode; rule.Favour != "node2" || rule.Delay != 5*time.Second {
		t.Errorf("it is read as %+v", rule)
	}
	if shown := Print(parsed.Document); !strings.Contains(shown,
		"two nodes: one may go on without the other, node2 is favoured, the other waits 5s longer\n") {
		t.Errorf("what it means is not told:\n%s", shown)
	}
	plain, err := Parse("d", []byte(twoHosts+"two_node:\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Join(Diff(parsed.Document, plain.Document), "\n"); !strings.Contains(lines,
		`to "node1 is favoured, the other waits 15s longer (by the services' domains)"`) {
		t.Errorf("the change is not told:\n%s", lines)
	}
}

func TestTwoNodeThatCannotWork(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"three nodes": {strings.Replace(twoHosts, "devices:", "  node3:\ndevices:", 1) + "two_node: {}\n",
			`d:9:11: two_node is for exactly two nodes, and 3 stand under nodes`},
		"no device": {strings.Replace(twoHosts, "node2: {fence: [[bmc2]]}", "node2:", 1) + "two_node: {}\n",
			`d:4:3: two_node needs a fence device for node2`},
		"unknown node": {twoHosts + "two_node: {favour: node3}\n", `two_node names node "node3", which is not declared`},
		"too short":    {twoHosts + "two_node: {delay: 1s}\n", `delay is 1s; it must be between 3s and 5m0s`},
		"unknown key":  {twoHosts + "two_node: {favor: node1}\n", `two_node has no key "favor"`},
	} {
		if _, err := Parse("d", []byte(c.text), nil, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the fault is %v, want %q", name, err, c.want)
		}
	}
}
