package daemon

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/quorum"
)

// mostOfAVolume bounds what is said of a volume in the log.
const mostOfAVolume = 400

// volumeChanged hears how the volume of the data folder is.
func (d *Daemon) volumeChanged(h quorum.Health) {
	volume := cluster.Volume{Why: h.Reason, Failing: !h.Writable}
	if h.Writable {
		volume.Why = h.Low
	}
	d.warnings.set("log volume", volume.Why)
	volume.Why = shortened(volume.Why, mostOfAVolume)
	d.box.add(func(in *mind.Input) { in.Volume = &volume })
}
