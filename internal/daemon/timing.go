package daemon

import (
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

// timingFile keeps the document's timing, for the next start: the log has to be opened
// before it can tell which one it is.
const timingFile = "timing.json"

// keptTiming is what that file holds.
type keptTiming struct {
	Timing string `json:"timing"`
}

// profileAtStart is the timing that was in force when the daemon ran last.
func (d *Daemon) profileAtStart() quorum.Profile {
	kept, err := membership.ReadOptional[keptTiming](d.options.Folder, timingFile)
	if err != nil {
		d.logger.Warn("the timing of the last start is not known; the usual one counts until the log tells", "error", err)
	}
	if kept != nil {
		d.timing = kept.Timing
	}
	return profileOf(d.timing)
}

// profile is the timing of the document in force.
func (d *Daemon) profile() quorum.Profile { return profileOf(d.replica.Root().Document.Timing) }

func profileOf(timing string) quorum.Profile {
	profile, err := quorum.ParseProfile(timing)
	if err != nil {
		profile, _ = quorum.ParseProfile("")
	}
	return profile
}

// keepTiming lets log and heartbeats follow the timing of the document.
func (d *Daemon) keepTiming() {
	root := d.replica.Root()
	timing := root.Document.Timing
	if root.Nodes.Len() == 0 || timing == d.timing {
		return // the log has not told yet, or nothing new
	}
	profile := profileOf(timing)
	err := d.log.Retime(profile)
	if err == nil {
		d.pulse.Retime(profile)
		err = d.options.Folder.Write(timingFile, keptTiming{timing})
	}
	d.warnings.SetError("timing", err)
	if err == nil {
		d.timing = timing
		d.logger.Info("log and heartbeats follow the document's timing", "timing", profile.Name)
	}
}
