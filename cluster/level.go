package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// Levels of rules. Whoever changes what Apply makes of a command raises
// CurrentLevel and keeps the old rule for States below it.
const (
	// levelOne has VMs, failover domains and power fencing.
	levelOne = 1
	// levelTwo adds what this file's functions name: services made of resources,
	// rules between services, and fencing other than by power.
	levelTwo = 2
	// CurrentLevel is the newest set of rules this binary knows. A State keeps the
	// level it was made with until a command raises it.
	CurrentLevel = levelTwo
)

// leveled is a command that older binaries do not know, or of which they would
// make something else. It must not be in their log.
type leveled interface {
	// level is the first one at which the command may be proposed and applied.
	level() int
}

// LevelOf is the level that a State must have before a command is proposed.
func LevelOf(c Command) int {
	if l, special := c.(leveled); special {
		return l.level()
	}
	return levelOne
}

// Premature says why commands may not be proposed at a State's level; "" if
// they may. It is asked before a command enters the log, because a member with
// an older binary would stop at it, or apply it otherwise.
func Premature(s *State, commands []Command) string {
	if s.ID == "" {
		return "" // not founded yet: what founds it brings the level
	}
	for _, c := range commands {
		if needed := LevelOf(c); needed > s.Level {
			return fmt.Sprintf("this needs rules of level %d, and the cluster follows level %d until every member runs a version that knows them; upgrade the nodes that `clusterd node list` shows with an older version", needed, s.Level)
		}
	}
	return ""
}

// planLevel raises the level once all members know a newer one.
func planLevel(s *State, d *Decision) {
	newest := CurrentLevel
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		newest = min(newest, n.MaxLevel)
	}
	if s.Nodes.Len() > 0 && newest > s.Level {
		d.propose(RaiseLevel{Level: newest})
	}
}

// level of a fence intent: older rules would hand an operator's word to a fencer,
// and leave a machine off that was to be rebooted.
func (c BeginFence) level() int {
	if c.Word || c.Reboot {
		return levelTwo
	}
	return levelOne
}

// level of a document: what it uses, not what it could.
func (c Configure) level() int { return c.Document.level() }

// level is the first level whose rules know everything that the document says.
func (d Document) level() int {
	if d.Fencing != (Fencing{}) {
		return levelTwo
	}
	for _, name := range sortedKeys(d.Services) {
		if spec := d.Services[name]; spec.Kind() != resources.KindVM || spec.Rules.Any() {
			return levelTwo
		}
	}
	if d.StartAtOnce != 0 {
		return levelTwo
	}
	if d.fencesOtherwise() {
		return levelTwo
	}
	return levelOne
}
