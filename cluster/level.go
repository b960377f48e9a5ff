package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
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
		if raise, is := c.(RaiseLevel); is && raise.Level > CurrentLevel {
			return fmt.Sprintf("level %d is not known here, this clusterd knows level %d", raise.Level, CurrentLevel)
		}
		if why := premature(s, c); why != "" {
			return why
		}
	}
	return ""
}

// premature is the same question about one command. Apply asks it again: a level
// can also fall, by the restoring of an older backup.
func premature(s *State, c Command) string {
	if needed := LevelOf(c); s.ID != "" && needed > s.Level {
		return fmt.Sprintf("this needs rules of level %d, and the cluster follows level %d until every member runs a version that knows them; upgrade the nodes that `clusterd node list` shows with an older version", needed, s.Level)
	}
	return ""
}

// Unknown says that a State follows rules that this binary does not know; "" if
// it knows them. Going on with such a State would make it differ from the others'.
func Unknown(s *State) string {
	if s.Level <= CurrentLevel {
		return ""
	}
	return fmt.Sprintf("the cluster follows rules of level %d, this clusterd knows level %d; install the version the other nodes run", s.Level, CurrentLevel)
}

// planLevel raises the level once all members know a newer one, and says until
// then whom that waits for.
func planLevel(w *World, d *Decision) {
	newest := CurrentLevel
	var behind []string
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		newest = min(newest, n.MaxLevel)
		switch {
		case n.MaxLevel >= CurrentLevel:
		case n.Incarnation == 0:
			behind = append(behind, name+" (not up yet)")
		default:
			behind = append(behind, fmt.Sprintf("%s (clusterd %s)", name, n.Version))
		}
	}
	switch {
	case w.Nodes.Len() == 0:
	case newest > w.Level():
		d.propose(RaiseLevel{Level: newest})
	case w.Level() < CurrentLevel:
		d.wait(w.Cluster(), fmt.Sprintf("rules of level %d stay in force until %s can follow newer ones", w.Level(), strings.Join(behind, ", ")), "upgrade clusterd there, or remove what is gone for good")
	}
}

// level of a fence intent: older rules would hand an operator's word to a fencer,
// leave a machine off that was to be rebooted, and know no fence for a failed stop.
func (c BeginFence) level() int {
	if c.Word || c.Reboot || c.Service != "" {
		return levelTwo
	}
	return levelOne
}

// level of an act: older rules do not know what goes down ahead of a move, nor what
// is changed while it runs.
func (c Begin) level() int {
	if c.Purpose == ForAhead || c.Intent == IntentReconfigure {
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
	if d.StartAtOnce != 0 || d.TwoNode != nil || len(d.Alerts) > 0 {
		return levelTwo
	}
	for _, name := range sortedKeys(d.Devices) {
		if d.Devices[name].Limits != (fence.Limits{}) {
			return levelTwo
		}
	}
	if d.fencesOtherwise() {
		return levelTwo
	}
	return levelOne
}
