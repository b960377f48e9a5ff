package resources

import (
	"errors"
	"fmt"
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

// With returns it with what another one sets in its place.
func (m Migration) With(other Migration) Migration {
	m.AutoConverge = m.AutoConverge || other.AutoConverge
	m.Compression = m.Compression || other.Compression
	if other.Mode != "" {
		m.Mode = other.Mode
	}
	if other.Bandwidth != 0 {
		m.Bandwidth = other.Bandwidth
	}
	if other.Downtime != 0 {
		m.Downtime = other.Downtime
	}
	return m
}

// Fixed reports whether it sets what cannot be changed once a move has begun.
func (m Migration) Fixed() bool { return m.AutoConverge || m.Compression || m.Mode != "" }

// String is how it is written on a command line; "" where it sets nothing.
func (m Migration) String() string {
	var words []string
	if m.Mode != "" {
		words = append(words, MoveModeKey+"="+string(m.Mode))
	}
	if m.AutoConverge {
		words = append(words, MoveAutoConverge+"=true")
	}
	if m.Compression {
		words = append(words, MoveCompression+"=true")
	}
	if m.Bandwidth != 0 {
		words = append(words, fmt.Sprintf("%s=%d", MoveBandwidth, m.Bandwidth))
	}
	if m.Downtime != 0 {
		words = append(words, MoveDowntime+"="+m.Downtime.String())
	}
	return strings.Join(words, " ")
}

// Set reads one KEY=VALUE of a command line. An error says what is wrong with it.
func (m *Migration) Set(word string) error {
	key, value, found := strings.Cut(word, "=")
	if !found {
		return fmt.Errorf("%q is not KEY=VALUE; write bandwidth=200, for example", word)
	}
	var err error
	switch key {
	case MoveModeKey:
		m.Mode = MoveMode(value)
	case MoveAutoConverge:
		m.AutoConverge, err = true, onlyTrue(value)
	case MoveCompression:
		m.Compression, err = true, onlyTrue(value)
	case MoveBandwidth:
		if m.Bandwidth, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("bandwidth=%s: it is a number of MiB/s, without a unit", value)
		}
	case MoveDowntime:
		if m.Downtime, err = time.ParseDuration(value); err != nil {
			return fmt.Errorf("downtime=%s: it is a time such as 300ms or 2s", value)
		}
	default:
		return fmt.Errorf("there is no %q; there are %s, %s, %s, %s and %s", key, MoveModeKey, MoveBandwidth,
			MoveDowntime, MoveAutoConverge, MoveCompression)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: %w", key, value, err)
	}
	return m.Bad()
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
	switch {
	case m.Mode != "" && m.Mode != MovePreCopy && m.Mode != MovePostCopy && m.Mode != MoveHybrid:
		return fmt.Errorf("a mode is %s, %s or %s, not %q", MovePreCopy, MoveHybrid, MovePostCopy, string(m.Mode))
	case m.Bandwidth != 0 && (m.Bandwidth < SlowestMove || m.Bandwidth > FastestMove):
		return fmt.Errorf("a bandwidth is from %d to %d MiB/s, not %d", SlowestMove, FastestMove, m.Bandwidth)
	case m.Downtime != 0 && (m.Downtime < ShortestDowntime || m.Downtime > LongestDowntime):
		return fmt.Errorf("a downtime is from %s to %s, not %s", ShortestDowntime, LongestDowntime, m.Downtime)
	}
	return nil
}
