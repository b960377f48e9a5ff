package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
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

// fencingKeys are the keys of what concerns all devices.
var fencingKeys = []key[cluster.Fencing]{
	{
		Name:   "at_once",
		Effect: EffectNow,
		Read: func(p *parser, f *cluster.Fencing) func(*yaml.Node) {
			return p.Number(&f.AtOnce, "at_once of fencing", 1, mostAtOnce)
		},
		Told:  func(f cluster.Fencing) string { return strconv.Itoa(f.AtOnce) },
		Shown: func(f cluster.Fencing) string { return fmt.Sprintf(", at once %d", f.AtOnce) },
		Means: "how many nodes may be fenced at the same time without an operator: 1 (the default) to 16. A node whose " +
			"fencing is stuck does not count: once an attempt has ended without a proof, others have their turn",
	},
	{
		Name:   "shots",
		Effect: EffectNow,
		Read: func(p *parser, f *cluster.Fencing) func(*yaml.Node) {
			return p.Number(&f.Shots, "shots of fencing", 1, mostShots)
		},
		Told:  func(f cluster.Fencing) string { return strconv.Itoa(f.Shots) },
		Shown: func(f cluster.Fencing) string { return fmt.Sprintf(", shots %d within %s", f.Shots, f.Window) },
		Means: "how many nodes may be fenced within that time: 6 in 10m by default",
	},
	{
		Name:   "drills",
		Effect: EffectNow,
		Read:   func(p *parser, _ *cluster.Fencing) func(*yaml.Node) { return p.drills },
		Told:   func(f cluster.Fencing) string { return drillsText(f.Drills) },
		Means: "a schedule of [drills](fencing.md#a-drill): `every` is how old the last drill of a node may become, " +
			"`from` and `to` the time of the day (UTC) in which one may begin. Without it there are none but yours",
	},
	{
		Name:   "window",
		Beside: "shots",
		Effect: EffectNow,
		Read: func(p *parser, f *cluster.Fencing) func(*yaml.Node) {
			return p.Duration(&f.Window, "window of fencing", shortestBrake, longestBrake)
		},
		Told:  func(f cluster.Fencing) string { return f.Window.String() },
		Shown: keys.Unseen[cluster.Fencing],
	},
}

// fencing reads the numbers of the brake.
func (p *parser) fencing(value *yaml.Node) {
	f := &p.document.Fencing
	p.Mapping(value, "fencing", keys.Fields(fencingKeys, p, f))
	if with := f.WithDefaults(); with.Shots < with.AtOnce {
		at := value
		if shots := entry(value, "shots"); shots != nil {
			at = shots
		}
		p.Fault(at, "fencing allows %d nodes at once and only %d shots in %s; raise shots", with.AtOnce, with.Shots,
			with.Window)
	}
}

// drillKeys are the keys of the schedule of drills, which the reference explains where it explains
// drills. A change of any of them is told as one of drills.
var drillKeys = []key[cluster.Drills]{
	{
		Name:   "every",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Drills) func(*yaml.Node) {
			return p.Duration(&d.Every, "every of drills", shortestDrills, longestDrills)
		},
	},
	{
		Name:   "from",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Drills) func(*yaml.Node) {
			return p.minuteOfDay(&d.From, "from of drills")
		},
	},
	{
		Name:   "to",
		Effect: EffectNow,
		Read: func(p *parser, d *cluster.Drills) func(*yaml.Node) {
			return p.minuteOfDay(&d.To, "to of drills")
		},
	},
}

// drills reads the schedule of drills. Its hours are UTC: the leader, which keeps
// them, may be anywhere.
func (p *parser) drills(value *yaml.Node) {
	p.Mapping(value, "drills of fencing", keys.Fields(drillKeys, p, &p.document.Fencing.Drills))
	if value.Kind == yaml.MappingNode {
		p.needs(value, value, "drills of fencing", "every",
			"say how old the last drill of a node may become, for example every: 720h")
		if (entry(value, "from") == nil) != (entry(value, "to") == nil) {
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

// limitKeys are the keys of a device that bound how it is used. A change of any of them is told as
// one of "limits".
var limitKeys = []key[fence.Device]{
	{
		Name:   "at_once",
		Says:   "limits",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Number(&d.Limits.AtOnce, "at_once of device "+d.Name, 1, mostAtOnce)
		},
		Told: func(d fence.Device) string { return limitsText(d.Limits) },
		Shown: func(d fence.Device) string {
			limits := limitsText(d.Limits)
			return onlyIf(limits != "", ", %s", limits)
		},
		Means: "how many calls one node makes at the same time to the device's address; a switched outlet often takes " +
			"one. A check gives way to a fence",
	},
	{
		Name:   "attempts",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Number(&d.Limits.Attempts, "attempts of device "+d.Name, 1, mostAttempts)
		},
		Means: "how often one node tries the level in a row before another node is asked: 1 to 5, 2 by default. The " +
			"smallest of a level counts",
	},
	{
		Name:   "delay",
		Effect: EffectNow,
		Read: func(p *parser, d *fence.Device) func(*yaml.Node) {
			return p.Duration(&d.Limits.Delay, "delay of device "+d.Name, time.Second, longestDelay)
		},
		Means: "waited out after the node was found lost, before it is decided to fence it; never after that",
	},
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
