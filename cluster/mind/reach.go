package mind

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// Contact is this node's stopwatch on another one.
func (n *Node) Contact(node string) cluster.Contactwatch { return n.view.Contacts[node] }

// news reports whether a check says what the log does not know.
func (n *Node) news(now time.Duration, s *cluster.State, c cluster.CheckFrom, leading bool) bool {
	all, asked := s.Checks.Get(c.Device)
	mine, told := s.Reach.Get(cluster.ReachKey(c.Device, c.By))
	bad := c.Check.Problem != ""
	switch {
	case !bad && !c.OldLogin && s.OldLogins.Has(c.Device):
		return true // the new login works
	case !bad && ((told && mine.Problem != "") || (asked && all.Problem != "")):
		return true // it works again, or from here and from nowhere else
	case !asked:
		return true // nobody has told of it yet: the leader does not ask its own
	case !bad:
		return (leading || all.By == c.By) && (all.Power != c.Check.Power || tellsAnother(all, c.Check) ||
			mine.OldLogin != c.OldLogin)
	case told && mine.Problem != "":
		return mine.Problem != c.Check.Problem && now >= n.worded[c.Device]
	}
	return leading || (asked && all.Problem == "")
}

// tellsAnother reports whether a device tells an identity, and not the one that it told last.
func tellsAnother(last cluster.DeviceCheck, now fence.Check) bool {
	return now.Identity != "" && now.Identity != last.Identity
}

// pauseBetweenWords is how often one device's changed problem may enter the log:
// a BMC that fails in ever new words is as dead as one that repeats itself. What
// it said last is shown all the same, by who asked it.
const pauseBetweenWords = 10 * time.Minute

// mostWorded bounds what is remembered for that.
const mostWorded = 4096

// checkCommand is what a check is worth in the log; nil when it says nothing new.
// The leader tells what a device says; the others only where they find it
// otherwise: of a hundred nodes that all reach a BMC, one is enough.
func (n *Node) checkCommand(now time.Duration, s *cluster.State, c cluster.CheckFrom, leading bool) cluster.Command {
	last, asked := s.Checks.Get(c.Device)
	if !n.news(now, s, c, leading) && !(leading && asked && tellsAnother(last, c.Check)) {
		return nil // what a board with a problem tells of its host is news, since a proof may rest on it
	}
	if len(n.worded) > mostWorded {
		clear(n.worded)
	}
	n.worded[c.Device] = now + pauseBetweenWords
	return c
}
