package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
)

const (
	uuidOne = "4c4c4544-0038-5910-8052-b7c04f4e3232"
	// uuidTurned is the same one as a board tells it that turns the bytes of its first fields.
	uuidTurned  = "44454c4c-3800-1059-8052-b7c04f4e3232"
	placeholder = "03000200-0400-0500-0006-000700080009"
)

func ready(b *clustertest.Book) cluster.Join {
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1)}})
	return cluster.Join{Token: "t", Node: "node4", Fingerprint: "key-node4", HardwareUUID: uuidOne,
		Address: "10.0.0.4:7440"}
}

func TestAJoinThatNobodyCouldUseDoesNotEnterTheState(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	good := ready(b)
	for what, change := range map[string]func(*cluster.Join){
		"a path":              func(c *cluster.Join) { c.Node = "../../etc" },
		"a hidden file":       func(c *cluster.Join) { c.Node = ".node" },
		"an escape":           func(c *cluster.Join) { c.Node = "x\x1b[31m\nnode1" },
		"a bidi mark":         func(c *cluster.Join) { c.Node = "node\u202e4" },
		"no name":             func(c *cluster.Join) { c.Node = "" },
		"a name of 300":       func(c *cluster.Join) { c.Node = strings.Repeat("n", 300) },
		"no address":          func(c *cluster.Join) { c.Address = "" },
		"an address's line":   func(c *cluster.Join) { c.Address = "10.0.0.4\n10.0.0.5:7440" },
		"an address of 300":   func(c *cluster.Join) { c.Address = strings.Repeat("a", 300) + ":7440" },
		"another's address":   func(c *cluster.Join) { c.Address = "NODE2" },
		"no UUID":             func(c *cluster.Join) { c.HardwareUUID = "" },
		"a UUID's path":       func(c *cluster.Join) { c.HardwareUUID = "a/b" },
		"a UUID of 300":       func(c *cluster.Join) { c.HardwareUUID = strings.Repeat("a", 300) },
		"a key's escape":      func(c *cluster.Join) { c.Fingerprint = "key\x1b" },
		"a key of 300":        func(c *cluster.Join) { c.Fingerprint = strings.Repeat("a", 300) },
		"another's key":       func(c *cluster.Join) { c.Fingerprint = "key-node2" },
		"another's name":      func(c *cluster.Join) { c.Node = "node2" },
		"no key at all":       func(c *cluster.Join) { c.Fingerprint = "" },
		"a UUID's whitespace": func(c *cluster.Join) { c.HardwareUUID = "a b" },
	} {
		bad := good
		change(&bad)
		before := b.S.Nodes.Len()
		if why := b.Apply(bad).Refused[0]; why.IsZero() || strings.ContainsAny(why.String(), "\x1b\n\u202e") {
			t.Errorf("%s: answered with %q", what, why)
		}
		if !b.S.Tokens.Has("t") || b.S.Nodes.Len() != before {
			t.Fatalf("%s: half of it was applied", what)
		}
	}
	b.Must(good)
}

func TestTwoMachinesOfOneHardwareUUIDDoNotMeetInACluster(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Must(ready(b))
	twin := ready(b)
	twin.Node, twin.Fingerprint, twin.Address = "node5", "key-node5", "10.0.0.5:7440"
	b.Refused(twin, "and so has node4")
	twin.HardwareUUID = uuidTurned
	b.Refused(twin, "and so has node4")
	// What names no machine identifies nobody: each of them needs a drill anyhow.
	for i, name := range []string{"node5", "node6"} {
		c := ready(b)
		c.Node, c.Fingerprint, c.Address, c.HardwareUUID = name, "key-"+name, "10.0.0."+string(rune('5'+i))+":7440",
			placeholder
		b.Must(c)
	}
	// The same machine, reinstalled, takes its own place.
	b.Must(cluster.AddToken{ID: "r", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1), Replace: "node4"}})
	again := ready(b)
	again.Token, again.Fingerprint = "r", "key-new"
	b.Must(again)
}

func TestADaemonAnnouncesNoAddressThatAnotherOneHas(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	up := cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: b.Node("node2").Boot,
		MaxLevel: cluster.CurrentLevel,
		Address:  b.Node("node1").Address}
	b.Refused(up, "which is that of node1")
	up.Address = "x\x1b[31m"
	b.Refused(up, "is no address for node2")
	up.Address = "10.0.0.22:7440"
	b.Must(up)
	if got := b.Node("node2").Address; got != "10.0.0.22:7440" {
		t.Errorf("its address is %s", got)
	}
}
