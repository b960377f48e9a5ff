package config

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
)

// The bounds of the brake. The State keeps no more shots than mostShots.
const (
	mostAtOnce    = 16
	mostShots     = 64
	shortestBrake = time.Minute
	longestBrake  = 24 * time.Hour
)

// fencing reads the numbers of the brake.
func (p *parser) fencing(value *yaml.Node) {
	f := &p.document.Fencing
	var shots *yaml.Node
	p.mapping(value, "fencing", fields{
		"at_once": p.number(&f.AtOnce, "at_once of fencing", 1, mostAtOnce),
		"shots":   func(node *yaml.Node) { shots = node; p.number(&f.Shots, "shots of fencing", 1, mostShots)(node) },
		"window":  p.duration(&f.Window, "window of fencing", shortestBrake, longestBrake),
	})
	if with := f.WithDefaults(); with.Shots < with.AtOnce {
		at := value
		if shots != nil {
			at = shots
		}
		p.fault(at, "fencing allows %d nodes at once and only %d shots in %s; raise shots", with.AtOnce, with.Shots, with.Window)
	}
}

func fencingText(f cluster.Fencing) string {
	f = f.WithDefaults()
	return fmt.Sprintf("fencing, at once %d, shots %d within %s", f.AtOnce, f.Shots, f.Window)
}

func changedFencing(old, new cluster.Fencing) []string {
	old, new = old.WithDefaults(), new.WithDefaults()
	var changes []string
	changes = note(changes, "at_once", old.AtOnce, new.AtOnce)
	changes = note(changes, "shots", old.Shots, new.Shots)
	return note(changes, "window", old.Window, new.Window)
}
