package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// The bounds of the brake. The State keeps no more shots than mostShots.
const (
	mostAtOnce    = 16
	mostShots     = 64
	shortestBrake = time.Minute
	longestBrake  = 24 * time.Hour

	mostAttempts   = 5
	longestDelay   = 5 * time.Minute
	shortestDrills = 24 * time.Hour
	longestDrills  = 366 * 24 * time.Hour
)

// fencing reads the numbers of the brake.
func (p *parser) fencing(value *yaml.Node) {
	f := &p.document.Fencing
	var shots *yaml.Node
	p.Mapping(value, "fencing", strict.Fields{
		"at_once": p.Number(&f.AtOnce, "at_once of fencing", 1, mostAtOnce),
		"shots": func(node *yaml.Node) {
			shots = node
			p.Number(&f.Shots, "shots of fencing", 1, mostShots)(node)
		},
		"drills": p.drills,
		"window": p.Duration(&f.Window, "window of fencing", shortestBrake, longestBrake),
	})
	if with := f.WithDefaults(); with.Shots < with.AtOnce {
		at := value
		if shots != nil {
			at = shots
		}
		p.Fault(at, "fencing allows %d nodes at once and only %d shots in %s; raise shots", with.AtOnce, with.Shots,
			with.Window)
	}
}

// drills reads the schedule of drills. Its hours are UTC: the leader, which keeps
// them, may be anywhere.
func (p *parser) drills(value *yaml.Node) {
	d := &p.document.Fencing.Drills
	var from, to bool
	p.Mapping(value, "drills of fencing", strict.Fields{
		"every": p.Duration(&d.Every, "every of drills", shortestDrills, longestDrills),
		"from": func(node *yaml.Node) {
			from = true
			p.minuteOfDay(&d.From, "from of drills")(node)
		},
		"to": func(node *yaml.Node) {
			to = true
			p.minuteOfDay(&d.To, "to of drills")(node)
		},
	})
	if value.Kind == yaml.MappingNode {
		p.needs(value, value, "drills of fencing", "every",
			"say how old the last drill of a node may become, for example every: 720h")
		if from != to {
			p.Fault(value, "drills of fencing has only one of from and to; write both, or none for any time of the day")
		}
	}
}

// minuteOfDay makes a field of a time such as 22:30.
func (p *parser) minuteOfDay(into *int, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		at, err := time.Parse("15:04", node.Value)
		if node.Kind != yaml.ScalarNode || err != nil {
			p.Fault(node, "%s must be a time of the day (UTC) in quotes, such as \"22:30\", not %s", what, strict.KindOf(node))
			return
		}
		*into = at.Hour()*60 + at.Minute()
	}
}

// limits are the keys of a device that bound how it is used.
func (p *parser) limits(into *fence.Limits, what string) strict.Fields {
	return strict.Fields{
		"at_once":  p.Number(&into.AtOnce, "at_once of "+what, 1, mostAtOnce),
		"attempts": p.Number(&into.Attempts, "attempts of "+what, 1, mostAttempts),
		"delay":    p.Duration(&into.Delay, "delay of "+what, time.Second, longestDelay),
	}
}

// limitsText tells them, where there are any.
func limitsText(l fence.Limits) string {
	text := ""
	if l.AtOnce > 0 {
		text += fmt.Sprintf(" at_once=%d", l.AtOnce)
	}
	if l.Attempts > 0 {
		text += fmt.Sprintf(" attempts=%d", l.Attempts)
	}
	if l.Delay > 0 {
		text += fmt.Sprintf(" delay=%s", l.Delay)
	}
	return strings.TrimSpace(text)
}

func drillsText(d cluster.Drills) string {
	switch {
	case d.Every == 0:
		return "none"
	case d.From == d.To:
		return fmt.Sprintf("every %s", d.Every)
	}
	clock := func(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }
	return fmt.Sprintf("every %s, from %s to %s UTC", d.Every, clock(d.From), clock(d.To))
}

func fencingText(f cluster.Fencing) string {
	f = f.WithDefaults()
	return fmt.Sprintf("fencing, at once %d, shots %d within %s, drills %s", f.AtOnce, f.Shots, f.Window,
		drillsText(f.Drills))
}

func changedFencing(old, new cluster.Fencing) changes {
	old, new = old.WithDefaults(), new.WithDefaults()
	var told changes
	told = note(told, "at_once", old.AtOnce, new.AtOnce)
	told = note(told, "shots", old.Shots, new.Shots)
	told = note(told, "drills", drillsText(old.Drills), drillsText(new.Drills))
	return note(told, "window", old.Window, new.Window)
}
