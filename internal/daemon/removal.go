package daemon

import (
	"time"

	"github.com/clusterd/clusterd/internal/membership"
)

// endRemoved stops the daemon of a node that is no longer a member, for good.
func (d *Daemon) endRemoved(how string) {
	d.logger.Error("this node was removed from the cluster"+how+"; its daemon stops, what runs here runs on",
		"node", d.name)
	if d.options.Folder != "" {
		removal := membership.Removal{Cluster: d.membership.Cluster, Node: d.name, At: time.Now()}
		if err := d.options.Folder.Write(membership.RemovedFile, removal); err != nil {
			d.logger.Warn("it could not be written down that this node was removed", "error", err)
		}
	}
	d.end(membership.ErrRemoved)
}
