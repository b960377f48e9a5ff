// Package comparing holds this node's State beside that of the others at the same index. A node
// whose State differs acts on what was never agreed: it stops, and begins anew with the log of the
// others; or it stands by, where it may not begin anew yet (law L7).
package comparing

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
)

const (
	// handOverLimit bounds one transfer of the leadership.
	handOverLimit = 2 * time.Second
	// digestShown is how much of a digest is shown.
	digestShown = 12

	// compareEvery is how often a node compares its State with the leader's, where it changed.
	compareEvery = 10 * time.Second
	// leaderCompares is in how many of these rounds a leader does it once: each of its followers does
	// it too, and only one that is alone with its State is found by the leader alone.
	leaderCompares = 6
)

// Log is the State that follows from the replicated log, its members, and who leads.
type Log interface {
	Root() *cluster.State
	// Lead is the node that leads by what this node knows, and whether it is this one.
	Lead() (leader string, leading bool)
	Members() []quorum.Member
	// HandOver gives the leadership away, to whom it may choose.
	HandOver(ctx context.Context, to string) error
}

// Options are what comparing stands on. All are required.
type Options struct {
	// Node is this node's name, and Version what its build calls itself.
	Node, Version string
	Logger        *slog.Logger
	Warnings      *warnings.Book
	Log           Log
	// Roots are this node's newest States.
	Roots *Roots
	// Ask puts a question to the node at an address.
	Ask func(ctx context.Context, address string, question inquiry.Question) (inquiry.Answer, error)
	// Peers are the addresses of the other nodes.
	Peers func() map[string]string
	// Lose ends this start of the daemon; the next one takes no part in the log.
	Lose func(why message.Text)
}

// Comparing is what one node knows of how its State is beside the others'.
type Comparing struct {
	Options
	// odd: this node's State is not that of most voters, and it may not begin anew yet.
	odd atomic.Bool
}

// New makes one. It asks nobody before Run.
func New(options Options) *Comparing { return &Comparing{Options: options} }

// Odd reports whether this node's State is known not to be that of the others.
func (c *Comparing) Odd() bool { return c.odd.Load() }

// Run stops this node if its State is not that of the others at the same index: it acts
// on what was never agreed.
func (c *Comparing) Run(ctx context.Context) {
	var compared uint64
	for round := 0; sleep.For(ctx, compareEvery); round++ {
		root := c.Log.Root()
		leader, leading := c.Log.Lead()
		if c.odd.Load() && leading {
			c.handOverOdd(ctx)
		}
		if leader == "" || root.Index == compared || root.Index == 0 || leading && round%leaderCompares != 0 {
			continue
		}
		if c.compare(ctx, root, leader, leading) {
			compared = root.Index
		}
	}
}

// compare reports whether enough of the others could tell. A follower asks the leader, and all
// voters where that differs; the leader, who may be the odd one as well, asks all voters.
func (c *Comparing) compare(ctx context.Context, root *cluster.State, leader string, leading bool) bool {
	mine, err := root.Digest()
	if err != nil {
		c.Warnings.Set("state", fmt.Sprintf("the State at index %d cannot be compared with that of others: %v",
			root.Index, err))
		return false
	}
	told := map[string]string{c.Node: mine}
	if !leading {
		told[leader] = c.stateOf(ctx, leader, root.Index)
		if told[leader] == mine {
			c.agrees()
			return true
		}
	}
	voters := votersAmong(c.Log.Members())
	for _, name := range voters {
		if _, asked := told[name]; !asked {
			told[name] = c.stateOf(ctx, name, root.Index)
		}
	}
	verdict := weighStates(told, voters, c.Node, leader)
	switch {
	case verdict.told && !verdict.odd:
		c.agrees()
	case verdict.doubt == "" && !verdict.odd && !c.odd.Load():
		c.Warnings.Set("state", "")
	case verdict.doubt != "":
		c.Warnings.Set("state", fmt.Sprintf("the State of %s at index %d is not that of %s, and it is not known which is "+
			"right, since no State is that of more than half of the voters: bring the other nodes up, and compare the logs",
			c.Node, root.Index, verdict.doubt))
	case verdict.odd && len(othersWithoutLog(root, c.Node)) > 0:
		c.standBy(ctx, leading, fmt.Sprintf("the State of %s at index %d is not that of %s, so it does nothing by it; it "+
			"starts over once %s, which lost its log, holds it again: bring it up, or take it out (`clusterd node remove`)",
			c.Node, root.Index, verdict.others, strings.Join(othersWithoutLog(root, c.Node), ", ")))
		return false
	case verdict.odd:
		c.Lose(message.StateDiffers.With(c.Node, root.Index, verdict.others, mine[:min(len(mine), digestShown)],
			verdict.right[:min(len(verdict.right), digestShown)]))
	}
	return verdict.told
}

// standBy has this node decide and do nothing by its State, and lead no longer than it takes to
// hand that over. What was begun goes on.
func (c *Comparing) standBy(ctx context.Context, leading bool, why string) {
	c.odd.Store(true)
	c.Warnings.Set("state", why)
	if leading {
		c.handOverOdd(ctx)
	}
}

func (c *Comparing) handOverOdd(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	if err := c.Log.HandOver(ctx, ""); err != nil {
		c.Logger.Warn("a leader whose State is not that of the others cannot hand over", "node", c.Node, "error", err)
	}
}

// agrees ends a stand-by: this node's State is right.
func (c *Comparing) agrees() {
	c.odd.Store(false)
	c.Warnings.Set("state", "")
}

// stateOf is what another node of the same version says of its State; "" if it cannot tell.
func (c *Comparing) stateOf(ctx context.Context, node string, index uint64) string {
	address := c.Peers()[node]
	if address == "" {
		return ""
	}
	answer, err := c.Ask(ctx, address, inquiry.Question{Version: c.Version, StateAt: index})
	if err != nil {
		return ""
	}
	return answer.State
}

func votersAmong(members []quorum.Member) []string {
	var names []string
	for _, m := range members {
		if m.Voter {
			names = append(names, m.ID)
		}
	}
	slices.Sort(names)
	return names
}

// othersWithoutLog are the other nodes that lost their logs and do not hold them again: one at a
// time may begin anew.
func othersWithoutLog(root *cluster.State, self string) (names []string) {
	for _, n := range root.Nodes.Rows() {
		if n.Name != self && n.LogLost != 0 {
			names = append(names, n.Name)
		}
	}
	return names
}

// stateVerdict is what the States of the voters at one index come to.
type stateVerdict struct {
	// told: what was told is enough.
	told bool
	// odd: this node's is not the right one, which the others have.
	odd           bool
	right, others string
	// doubt names those whose State is another one, where nobody knows which is right.
	doubt string
}

// weighStates judges what nodes told of their States: right is what more than half of the voters
// have. Of two voters the leader's is right, as nobody else can be asked. Whoever could not tell
// has none.
func weighStates(told map[string]string, voters []string, self, leader string) stateVerdict {
	by := map[string][]string{}
	var differ []string
	for _, name := range voters {
		if state := told[name]; state != "" {
			by[state] = append(by[state], name)
			if state != told[self] {
				differ = append(differ, name)
			}
		}
	}
	for state, names := range by {
		if 2*len(names) > len(voters) {
			return stateVerdict{told: true, odd: state != told[self], right: state, others: strings.Join(names, ", ")}
		}
	}
	switch {
	case len(differ) == 0:
		return stateVerdict{told: len(voters) == 1}
	case len(voters) == 2 && told[leader] != "":
		return stateVerdict{told: true, odd: self != leader, right: told[leader], others: leader}
	}
	return stateVerdict{doubt: strings.Join(differ, ", ")}
}

// DigestAt answers another node of the same version; "" if this one cannot tell.
func (c *Comparing) DigestAt(question inquiry.Question) string {
	if question.StateAt == 0 || question.Version != c.Version {
		return ""
	}
	root := c.Roots.At(question.StateAt)
	if root == nil {
		return ""
	}
	digest, err := root.Digest()
	if err != nil {
		return ""
	}
	return digest
}
