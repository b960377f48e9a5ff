package fence

import (
	"fmt"
	"slices"
	"time"
)

// What holds where a document says nothing.
const (
	DefaultWatchdog = "/dev/watchdog"
	DefaultTimeout  = 15 * time.Second
	DefaultLease    = 10 * time.Second
	// longestTimeout bounds what a document may ask for: a lost node is waited out
	// that long.
	longestTimeout = 10 * time.Minute
)

// Settings are how a node's watchdog is to be armed.
type Settings struct {
	// Device is the kernel's name of the watchdog.
	Device  string
	Timeout time.Duration
	// Lease is 0 where the watchdog serves messages on disks alone.
	Lease time.Duration
}

// Settings reads the options of a watchdog or pill device. The error names the
// option that is wrong.
func (d Device) Settings() (Settings, error) {
	s := Settings{Device: DefaultWatchdog, Timeout: DefaultTimeout}
	if path := d.Options[OptionWatchdog]; path != "" {
		s.Device = path
	}
	var err error
	if s.Timeout, err = seconds(d.Options, OptionTimeout, DefaultTimeout); err != nil {
		return Settings{}, err
	}
	if d.Effect() != ByWatchdog {
		return s, nil
	}
	if s.Lease, err = seconds(d.Options, OptionLease, DefaultLease); err != nil {
		return Settings{}, err
	}
	if s.Lease >= s.Timeout {
		return Settings{}, fmt.Errorf("lease is %v and timeout is %v; the lease must be the shorter one", s.Lease, s.Timeout)
	}
	return s, nil
}

func seconds(options map[string]string, name string, otherwise time.Duration) (time.Duration, error) {
	text, given := options[name]
	if !given {
		return otherwise, nil
	}
	value, err := wholeSeconds(text)
	if err != nil {
		return 0, fmt.Errorf("%s %w", name, err)
	}
	return value, nil
}

// Wanted is the guard that a node's levels ask for.
type Wanted struct {
	// Watchdog reports whether one is to be armed, Settings how.
	Watchdog bool
	Settings Settings
	// Pills are the disks to watch for messages. Storage are the devices to register
	// with: all that are declared, whoever is fenced by them, because a node without
	// a key can neither write to their disks nor cut anybody off.
	Pills   []string
	Storage []Device
}

// WantedBy reads a node's levels and the declared devices. Of several watchdog
// devices the first counts, and one with a lease before one without.
func WantedBy(levels []Level, devices map[string]Device) Wanted {
	var w Wanted
	for _, level := range levels {
		for _, name := range level.Devices {
			w.add(devices[name])
		}
	}
	for _, name := range storageNames(devices) {
		w.Storage = append(w.Storage, devices[name])
	}
	return w
}

// storageNames are sorted, but only these: most documents have none, and it is
// asked often.
func storageNames(devices map[string]Device) []string {
	var names []string
	for name, d := range devices {
		if d.Effect() == ByStorage {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *Wanted) add(d Device) {
	switch d.Effect() {
	case ByPill, ByWatchdog:
		if settings, err := d.Settings(); err == nil && (!w.Watchdog || (w.Settings.Lease == 0 && settings.Lease > 0)) {
			w.Watchdog, w.Settings = true, settings
		}
		if len(w.Pills) == 0 {
			w.Pills = d.Disks()
		}
	}
}

// IsZero reports whether the levels ask for no guard at all.
func (w Wanted) IsZero() bool { return !w.Watchdog && len(w.Storage) == 0 }

// Missing says what of the wanted guard a boot does not have; "" if nothing.
func (w Wanted) Missing(g Guard, boot string) string {
	if g.Boot != boot {
		g = Guard{}
	}
	if w.Watchdog && (g.Timeout == 0 || (w.Settings.Lease > 0 && g.Lease == 0)) {
		return "its watchdog is not known to be armed"
	}
	for _, disk := range w.Pills {
		if !slices.Contains(g.Pills, disk) {
			return "it is not known to watch " + disk + " for messages"
		}
	}
	for _, device := range w.Storage {
		for _, disk := range device.Disks() {
			if !slices.Contains(g.Keys, disk) {
				return "its key is not known to be registered on " + disk
			}
		}
	}
	return ""
}
