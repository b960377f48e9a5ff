package roll

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

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
		var once []string
		for _, name := range named {
			if !slices.Contains(once, name) {
				once = append(once, name)
			}
		}
		return once, nil
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

// moving are states of a service in which something is under way.
var moving = []string{"starting", "stopping", "migrating", "recovering", "recoverable", "checking"}

// ups are the services that run when a roll begins: they have to run before each of its steps. What
// was down before keeps nobody from working on hosts.
func ups(status api.Status) map[string]bool {
	list := map[string]bool{}
	for _, s := range status.Services {
		list[s.Name] = s.StateText == "started" && s.Paused == ""
	}
	return list
}

// unwell says what keeps a host from being worked on; "" for nothing. Except is the one that is
// worked on now, of which it is not asked.
func unwell(status api.Status, except string, up map[string]bool) string {
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
			return fmt.Sprintf("%s is under the order %s, which `clusterd node return %s` ends", n.Name, n.Order.Order, n.Name)
		}
	}
	for _, s := range status.Services {
		switch {
		case slices.Contains(moving, s.StateText):
			return fmt.Sprintf("%s is %s", s.Name, s.StateText)
		case up[s.Name] && s.Paused != "":
			return fmt.Sprintf("%s is paused: %s", s.Name, s.Paused)
		case up[s.Name] && s.StateText != "started" && s.StateText != "disabled":
			return fmt.Sprintf("%s ran before and is %s", s.Name, s.StateText)
		}
	}
	return ""
}

// ours is the order under which a host is worked on. It is an error where it is no longer ours:
// somebody took it back, or gave another one, and has a reason.
func ours(status api.Status, name string, given time.Time) (*api.NodeOrder, error) {
	n, found := find(status, name)
	switch {
	case !found || n.Order == nil:
		return nil, fmt.Errorf("the order %s about %s was taken back", order, name)
	case n.Order.Order != order || !given.IsZero() && !n.Order.At.Equal(given):
		return nil, fmt.Errorf("%s was given the order %s by %s meanwhile (%s), which stays", name, n.Order.Order, n.Order.By,
			cmp.Or(n.Order.Reason, "no reason was given"))
	}
	return n.Order, nil
}

// held says what keeps a host from being empty, with the first note about it.
func held(status api.Status, o *api.NodeOrder) string {
	if o == nil || len(o.Holds) == 0 {
		return ""
	}
	for _, note := range status.Notes {
		if slices.Contains(o.Holds, note.Subject) {
			return fmt.Sprintf("; it holds %s: %s is not moved because %s", strings.Join(o.Holds, ", "), note.Subject, note.Why)
		}
	}
	return "; it holds " + strings.Join(o.Holds, ", ")
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

// unfit says why a command cannot be one: it is started without a shell.
func unfit(command string) string {
	for _, sign := range []string{"\"", "'", "`", "&&", "||", "|", ";", ">", "<", "$"} {
		if strings.Contains(command, sign) {
			return fmt.Sprintf("%s means nothing without a shell; write a script, and have --run start it with {node} or "+
				"{address}", sign)
		}
	}
	return ""
}
