package roll

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
)

// order is the standing order under which a host is worked on: it may be off, and is not fenced.
const order = "maintenance"

// queue are the hosts in the order in which they are worked on: as named, else all that run
// services, the leader last, because each of its absences moves the lead. The node that answers
// cannot be among them: who waits for it would wait for himself.
func queue(status api.Status, named []string) ([]string, error) {
	known := map[string]api.Node{}
	for _, n := range status.Nodes {
		known[n.Name] = n
	}
	for _, name := range named {
		switch n, is := known[name]; {
		case !is:
			return nil, fmt.Errorf("there is no node %s", name)
		case n.Local:
			return nil, fmt.Errorf("%s answers these questions and cannot be worked on from here; roll it from another node",
				name)
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	nodes := slices.DeleteFunc(slices.Clone(status.Nodes), func(n api.Node) bool { return n.Witness || n.Local })
	slices.SortStableFunc(nodes, func(a, b api.Node) int {
		return cmp.Or(compareBool(a.Leader, b.Leader), strings.Compare(a.Name, b.Name))
	})
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// busy are states of a service in which something is under way or wanted.
var busy = []string{"starting", "stopping", "migrating", "relocating", "recovering", "recoverable", "checking",
	"failed"}

// unwell says what keeps the next host from being worked on; "" for nothing. Except is the one that
// is worked on now, which may be away.
func unwell(status api.Status, except string) string {
	switch {
	case !status.Quorate:
		return "there is no quorum"
	case status.Disarmed != "":
		return "fencing is disarmed: " + status.Disarmed
	case status.Lock != nil && status.Lock.Locked:
		return "the cluster is locked by " + status.Lock.By
	}
	for _, n := range status.Nodes {
		if n.Name == except {
			continue
		}
		switch {
		case !n.Online:
			return fmt.Sprintf("%s is %s", n.Name, n.State)
		case !n.Hung.IsZero():
			return fmt.Sprintf("the hypervisor of %s does not answer", n.Name)
		case n.Order != nil:
			return fmt.Sprintf("%s is under the order %s", n.Name, n.Order.Order)
		}
	}
	for _, s := range status.Services {
		if slices.Contains(busy, s.StateText) {
			return fmt.Sprintf("%s is %s", s.Name, s.StateText)
		}
	}
	return ""
}

// empty reports whether a host holds nothing under our order. It is an error where that order was
// taken back.
func empty(status api.Status, name string) (bool, error) {
	n, found := find(status, name)
	if !found || n.Order == nil || n.Order.Order != order {
		return false, fmt.Errorf("the order %s about %s was taken back", order, name)
	}
	return n.Order.Empty, nil
}

// back reports whether a host is at work again after its command: with another boot than before
// where one is expected.
func back(status api.Status, name, boot string, reboots bool) bool {
	n, found := find(status, name)
	return found && n.Online && n.Hung.IsZero() && n.Boot != "" && (!reboots || n.Boot != boot)
}

func find(status api.Status, name string) (api.Node, bool) {
	i := slices.IndexFunc(status.Nodes, func(n api.Node) bool { return n.Name == name })
	if i < 0 {
		return api.Node{}, false
	}
	return status.Nodes[i], true
}

// words are a command's for one host, with its name and address in their places. It is started
// without a shell.
func words(command, node, address string) []string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address // without a port
	}
	fill := strings.NewReplacer("{node}", node, "{address}", host)
	list := strings.Fields(command)
	for i := range list {
		list[i] = fill.Replace(list[i])
	}
	return list
}
