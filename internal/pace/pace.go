// Package pace lets log and heartbeats follow the timing of the document, and keeps it for the next
// start: the log has to be opened before it can tell which one it is.
package pace

import (
	"log/slog"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

// File keeps the document's timing in the data folder.
const File = "timing.json"

// Kept is what that file holds.
type Kept struct {
	Timing string `json:"timing"`
}

// Pace is the one that log and heartbeats of a node follow. One goroutine uses it.
type Pace struct {
	Folder membership.Folder
	Logger *slog.Logger
	// timing is the word of the document that is followed.
	timing string
}

// AtStart is the timing that was in force when the daemon ran last.
func (p *Pace) AtStart() quorum.Profile {
	kept, err := membership.ReadOptional[Kept](p.Folder, File)
	if err != nil {
		p.Logger.Warn("the timing of the last start is not known; the usual one counts until the log tells", "error", err)
	}
	if kept != nil {
		p.timing = kept.Timing
	}
	return p.Followed()
}

// Followed is the timing that log and heartbeats follow.
func (p *Pace) Followed() quorum.Profile { return ProfileOf(p.timing) }

// ProfileOf is the timing by the word of a document; the usual one where that is not known.
func ProfileOf(timing string) quorum.Profile {
	profile, err := quorum.ParseProfile(timing)
	if err != nil {
		profile, _ = quorum.ParseProfile("")
	}
	return profile
}

// Log is the replicated log, which may refuse a timing.
type Log interface {
	Retime(profile quorum.Profile) error
}

// Pulse is what sends and hears heartbeats.
type Pulse interface {
	Retime(profile quorum.Profile)
}

// Follow lets log and heartbeats follow the timing of a State; false where they do already.
func (p *Pace) Follow(root *cluster.State, log Log, pulse Pulse) (changes bool, err error) {
	timing := root.Document.Timing
	if root.Nodes.Len() == 0 || timing == p.timing {
		return false, nil // the log has not told yet, or nothing new
	}
	profile := ProfileOf(timing)
	if err = log.Retime(profile); err == nil {
		pulse.Retime(profile)
		err = p.Folder.Write(File, Kept{timing})
	}
	if err == nil {
		p.timing = timing
		p.Logger.Info("log and heartbeats follow the document's timing", "timing", profile.Name)
	}
	return true, err
}
