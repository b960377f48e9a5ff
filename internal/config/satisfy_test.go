package config

import (
	"strings"
	"testing"
)

// places are domains for what follows.
const domainsForPlaces = `nodes:
  node1: {}
  node2: {}
  node3: {}
domains:
  one: {restricted: true, members: [node1]}
  two: {restricted: true, members: [node2]}
  pair: {restricted: true, members: [node1, node2]}
  rest: {restricted: true, members: [node2, node3]}
`

func TestServicesThatCouldNeverAllRun(t *testing.T) {
	const uuidD = "00000000-0000-4000-8000-00000000000d"
	for _, c := range []struct{ name, services, want string }{
		{"together over domains with nothing in common",
			vmWith("a", uuidA, "domain: one", "together: ['vm:b']") + vmWith("b", uuidB, "together: ['vm:c']") +
				vmWith("c", uuidC, "domain: two"),
			"services vm:a and vm:c run together, and their restricted domains have no node in common"},
		{"three domains of which each two have one",
			vmWith("a", uuidA, "domain: one", "together: ['vm:b']") +
				vmWith("b", uuidB, "domain: pair", "together: ['vm:c']") + vmWith("c", uuidC, "domain: rest"),
			"services vm:a and vm:c run together"},
		{"apart through together",
			vmWith("a", uuidA, "together: ['vm:b']", "apart: ['vm:c']") + vmWith("b", uuidB, "together: ['vm:c']") +
				vm("c", uuidC, ""),
			"service vm:a shall be apart from vm:c, and runs together with it by way of vm:b"},
		{"more services than nodes",
			vmWith("a", uuidA, "domain: pair", "apart: ['vm:b', 'vm:c']") +
				vmWith("b", uuidB, "domain: pair", "apart: ['vm:c']") + vmWith("c", uuidC, "domain: one"),
			"services vm:a, vm:b and vm:c may run on node1 and node2 only, and no two of them on one node"},
		{"needs what it must not meet on its only node",
			vmWith("a", uuidA, "domain: one", "depend: ['vm:b']", "apart: ['vm:b']") + vmWith("b", uuidB, "domain: one"),
			"services vm:a and vm:b may run on node1 only, and no two of them on one node"},
		{"exclusive beside another", vmWith("a", uuidA, "domain: one", "exclusive: true") + vmWith("b", uuidB, "domain: one"),
			"services vm:a and vm:b may run on node1 only"},
		{"more services than are declared",
			vmWith("a", uuidA, "apart: ['vm:b', 'vm:c', 'vm:d']") + vmWith("b", uuidB, "apart: ['vm:c', 'vm:d']") +
				vmWith("c", uuidC, "apart: ['vm:d']") + vm("d", uuidD, ""),
			"d:12:3: no two of the services vm:a, vm:b, vm:c and vm:d may share a node, and only node1, node2 and node3 are " +
				"declared: they could never all run. If there are further nodes, declare them under nodes"},
		{"the fewest of more",
			vmWith("a", uuidA, "domain: pair", "apart: ['vm:b', 'vm:c', 'vm:d']") + vmWith("b", uuidB, "domain: pair") +
				vmWith("c", uuidC, "domain: pair", "apart: ['vm:d']") + vmWith("d", uuidD, "domain: pair"),
			"services vm:a, vm:c and vm:d may run on node1 and node2 only, and no two of them on one node"},
		{"kept apart by way of who it runs together with",
			vmWith("a", uuidA, "domain: one", "together: ['vm:b']") + vm("b", uuidB, "") +
				vmWith("c", uuidC, "domain: one", "apart: ['vm:b']") + vmWith("d", uuidD, "together: ['vm:c']"),
			"d:12:3: services vm:a (runs together with vm:b) and vm:c may run on node1 only, and no two of them on one node: " +
				"they could never all run"},
		{"as many nodes as services", vmWith("a", uuidA, "domain: pair", "apart: ['vm:b']") +
			vmWith("b", uuidB, "domain: pair"), ""},
		{"somewhere else is free", vmWith("a", uuidA, "domain: one", "apart: ['vm:b', 'vm:c']") +
			vmWith("b", uuidB, "apart: ['vm:c']") + vm("c", uuidD, ""), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("d", []byte("cluster: a\n"+domainsForPlaces+"services:\n"+c.services), nil, nil)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case err != nil && strings.Count(err.Error(), "never all run") > 1:
				t.Errorf("told more than once: %v", err)
			}
		})
	}
}

// No three of five services in a ring are kept apart from each other, and two nodes are too few.
func TestARingOfServicesWithoutPlacesIsRefused(t *testing.T) {
	const uuidD, uuidE = "00000000-0000-4000-8000-00000000000d", "00000000-0000-4000-8000-00000000000e"
	services := vmWith("a", uuidA, "domain: pair", "apart: ['vm:b', 'vm:e']") +
		vmWith("b", uuidB, "domain: pair", "apart: ['vm:c']") + vmWith("c", uuidC, "domain: pair", "apart: ['vm:d']") +
		vmWith("d", uuidD, "domain: pair", "apart: ['vm:e']") + vmWith("e", uuidE, "domain: pair")
	_, err := Parse("d", []byte("cluster: a\n"+domainsForPlaces+"services:\n"+services), nil, nil)
	const want = "services vm:a, vm:b, vm:c, vm:d and vm:e may run on node1 and node2 only, and there is no way"
	if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "never all run") != 1 {
		t.Errorf("got %v, want %q", err, want)
	}
}
