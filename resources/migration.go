package resources

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Migration says how a VM is moved live. What is zero is left to the hypervisor.
type Migration struct {
	// Mode is when the memory is copied; "" is MovePreCopy.
	Mode MoveMode `json:"mode,omitempty"`
	// AutoConverge lets the hypervisor slow the guest's processors down when it writes to its memory
	// faster than that can be sent.
	AutoConverge bool `json:"autoConverge,omitempty"`
	// Compression sends pages that changed again as differences (XBZRLE).
	Compression bool `json:"compression,omitempty"`
	// Bandwidth bounds what is sent, in MiB/s.
	Bandwidth int `json:"bandwidth,omitempty"`
	// Downtime is how long the guest may stand still at the end.
	Downtime time.Duration `json:"downtime,omitempty"`
}

// The bounds of what may be asked for. LongestDowntime is QEMU's own
// (migrate-set-parameters, downtime-limit), SlowestMove is libvirt's unit.
const (
	SlowestMove      = 1
	FastestMove      = 1 << 20
	ShortestDowntime = time.Millisecond
	LongestDowntime  = 2000 * time.Second
)

// MoveMode says when a live move copies the guest's memory.
type MoveMode string

// The modes.
const (
	// MovePreCopy copies it before the guest changes its place. A guest that writes faster than that
	// can be sent does not arrive.
	MovePreCopy MoveMode = "pre-copy"
	// MovePostCopy has the guest go on at its target at once and copies the memory after it. The guest
	// arrives whatever it writes. Until the copying is over it needs both ends: losing either of them
	// loses what it had in memory.
	MovePostCopy MoveMode = "post-copy"
	// MoveHybrid is pre-copy, and post-copy once its passes no longer shrink.
	MoveHybrid MoveMode = "hybrid"
)

// The names of its parts, as they are written in the document and on command lines.
const (
	MoveAutoConverge = "auto_converge"
	MoveCompression  = "compression"
	MoveBandwidth    = "bandwidth"
	MoveDowntime     = "downtime"
	MoveModeKey      = "mode"
)

// MovePart is one part of how a VM is moved live, as a command line sets it.
type MovePart struct {
	Name string
	// Fixed says that it cannot be changed once a move has begun.
	Fixed bool
	// Example is how it is written, for the help.
	Example string
	// text is its value; "" where it sets nothing.
	text func(Migration) string
	// take takes over what another one sets.
	take func(m *Migration, other Migration)
	// set reads its value.
	set func(m *Migration, value string) error
	// bad says what is out of bounds.
	bad func(Migration) error
}

// MoveParts are all of them.
var MoveParts = []MovePart{
	{
		Name: MoveModeKey, Fixed: true, Example: "mode=hybrid (or pre-copy, post-copy)",
		text: func(m Migration) string { return string(m.Mode) },
		take: func(m *Migration, other Migration) { m.Mode = cmp.Or(other.Mode, m.Mode) },
		set: func(m *Migration, value string) error {
			m.Mode = MoveMode(value)
			return nil
		},
		bad: func(m Migration) error {
			if m.Mode == "" || m.Mode == MovePreCopy || m.Mode == MovePostCopy || m.Mode == MoveHybrid {
				return nil
			}
			return fmt.Errorf("a mode is %s, %s or %s, not %q", MovePreCopy, MoveHybrid, MovePostCopy, string(m.Mode))
		},
	},
	{
		Name: MoveBandwidth, Example: "bandwidth=200 (MiB/s)",
		text: func(m Migration) string {
			if m.Bandwidth == 0 {
				return ""
			}
			return strconv.Itoa(m.Bandwidth)
		},
		take: func(m *Migration, other Migration) { m.Bandwidth = cmp.Or(other.Bandwidth, m.Bandwidth) },
		set: func(m *Migration, value string) (err error) {
			if m.Bandwidth, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("bandwidth=%s: it is a number of MiB/s, without a unit", value)
			}
			return nil
		},
		bad: func(m Migration) error {
			if m.Bandwidth == 0 || m.Bandwidth >= SlowestMove && m.Bandwidth <= FastestMove {
				return nil
			}
			return fmt.Errorf("a bandwidth is from %d to %d MiB/s, not %d", SlowestMove, FastestMove, m.Bandwidth)
		},
	},
	{
		Name: MoveDowntime, Example: "downtime=300ms",
		text: func(m Migration) string {
			if m.Downtime == 0 {
				return ""
			}
			return m.Downtime.String()
		},
		take: func(m *Migration, other Migration) { m.Downtime = cmp.Or(other.Downtime, m.Downtime) },
		set: func(m *Migration, value string) (err error) {
			if m.Downtime, err = time.ParseDuration(value); err != nil {
				return fmt.Errorf("downtime=%s: it is a time such as 300ms or 2s", value)
			}
			return nil
		},
		bad: func(m Migration) error {
			if m.Downtime == 0 || m.Downtime >= ShortestDowntime && m.Downtime <= LongestDowntime {
				return nil
			}
			return fmt.Errorf("a downtime is from %s to %s, not %s", ShortestDowntime, LongestDowntime, m.Downtime)
		},
	},
	moveSwitch(MoveAutoConverge, func(m *Migration) *bool { return &m.AutoConverge }),
	moveSwitch(MoveCompression, func(m *Migration) *bool { return &m.Compression }),
}

// moveSwitch is a part that can be switched on.
func moveSwitch(name string, of func(*Migration) *bool) MovePart {
	return MovePart{
		Name: name, Fixed: true, Example: name + "=true",
		text: func(m Migration) string {
			if *of(&m) {
				return "true"
			}
			return ""
		},
		take: func(m *Migration, other Migration) { *of(m) = *of(m) || *of(&other) },
		set: func(m *Migration, value string) error {
			*of(m) = true
			if err := onlyTrue(value); err != nil {
				return fmt.Errorf("%s=%s: %w", name, value, err)
			}
			return nil
		},
		bad: func(Migration) error { return nil },
	}
}

// With returns it with what another one sets in its place.
func (m Migration) With(other Migration) Migration {
	for _, part := range MoveParts {
		part.take(&m, other)
	}
	return m
}

// Fixed reports whether it sets what cannot be changed once a move has begun.
func (m Migration) Fixed() bool {
	return slices.ContainsFunc(MoveParts, func(part MovePart) bool { return part.Fixed && part.text(m) != "" })
}

// String is how it is written on a command line, what is fixed first; "" where it sets nothing.
func (m Migration) String() string {
	var words []string
	for _, fixed := range []bool{true, false} {
		for _, part := range MoveParts {
			if value := part.text(m); value != "" && part.Fixed == fixed {
				words = append(words, part.Name+"="+value)
			}
		}
	}
	return strings.Join(words, " ")
}

// Set reads one KEY=VALUE of a command line. An error says what is wrong with it.
func (m *Migration) Set(word string) error {
	key, value, found := strings.Cut(word, "=")
	if !found {
		return fmt.Errorf("%q is not KEY=VALUE; write bandwidth=200, for example", word)
	}
	var names []string
	for _, part := range MoveParts {
		if part.Name == key {
			if err := part.set(m, value); err != nil {
				return err
			}
			return m.Bad()
		}
		names = append(names, part.Name)
	}
	last := len(names) - 1
	return fmt.Errorf("there is no %q; there are %s and %s", key, strings.Join(names[:last], ", "), names[last])
}

// onlyTrue refuses what would not switch something on: what a move leaves out is as it is declared.
func onlyTrue(value string) error {
	if value == "true" {
		return nil
	}
	return errors.New("it can be switched on, with true; left out, it is as it is declared")
}

// Bad says what is out of bounds; nil if nothing is.
func (m Migration) Bad() error {
	for _, part := range MoveParts {
		if err := part.bad(m); err != nil {
			return err
		}
	}
	return nil
}
