package scsi

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/clusterd/clusterd/fence"
)

// Prospect reads the disks of a device on this machine before anybody has
// registered with them, and says what is in the way of that: a disk that is not
// here or knows no reservations, an array that forgets them, somebody else's key
// or reservation. It changes nothing. Of the options Helper is required; without
// Cluster nobody's keys are known, and none is called foreign. An error is
// returned only for a faulty declaration.
func Prospect(ctx context.Context, device fence.Device, options Options) ([]fence.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	s, err := parseSettings(device)
	if err != nil {
		return nil, err
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	d := &Driver{options: options, runner: newRunner(options.Logger)}
	var keys keySet
	if options.Cluster != "" {
		if keys, err = d.keys(""); err != nil {
			return nil, err
		}
	}
	return inParallel(s.devices, func(path string) fence.Finding { return d.prospect(ctx, s, path, keys) }), nil
}

func (d *Driver) prospect(ctx context.Context, s settings, path string, keys keySet) fence.Finding {
	finding := fence.Finding{Device: path}
	reading, err := d.read(ctx, s, path)
	if err != nil {
		finding.Problem = err.Error()
		return finding
	}
	finding.Read, finding.Reserved = true, reading.Holder != 0
	finding.Registered = keys.known != nil && slices.Contains(reading.Keys, keys.own)
	if err := inTheWay(reading, keys); err != nil {
		finding.Problem = fmt.Sprintf("%s: %v", path, err)
	}
	return finding
}

// inTheWay is why a node could not register and reserve, or not for long.
func inTheWay(r Reading, keys keySet) error {
	if r.Persistence == Forgetful {
		return errForgetful
	}
	if r.Holder != 0 && r.Type != WriteExclusiveRegistrantsOnly {
		return fmt.Errorf("it is reserved already, by key %s with type %d; whoever did that must release it",
			r.Holder, r.Type)
	}
	for _, key := range r.Keys {
		if keys.known != nil && keys.known[key] == "" {
			return fmt.Errorf("key %s is registered and belongs to no node of this cluster; if it is no longer used, "+
				"remove it with sg_persist", key)
		}
	}
	return nil
}
