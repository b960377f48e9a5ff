package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// removedFile tells that this node was removed from its cluster. Its key counts for
// nothing for good, so every later start of the daemon would ask in vain.
const removedFile = "removed.json"

// Removal is what removedFile says.
type Removal struct {
	Cluster string    `json:"cluster"`
	Node    string    `json:"node"`
	At      time.Time `json:"at"`
}

// Removal says whether the node of this folder was removed; nil if it was not.
func (f Folder) Removal() (*Removal, error) {
	var r Removal
	err := f.read(removedFile, &r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &r, err
}

// Error tells a person what to do.
func (r Removal) Error() string {
	return fmt.Sprintf("this node, %s, was removed from cluster %s (known since %s); what runs here runs on. "+
		"To let it join again, empty its data folder, then `clusterd join`", r.Node, r.Cluster,
		r.At.Local().Format("2006-01-02 15:04:05"))
}

// Is makes it ErrRemoved.
func (r Removal) Is(err error) bool { return err == ErrRemoved }

// endRemoved stops the daemon of a node that is no longer a member, for good.
func (d *Daemon) endRemoved(how string) {
	d.logger.Error("this node was removed from the cluster"+how+"; its daemon stops, what runs here runs on",
		"node", d.name)
	if d.options.Folder != "" {
		removal := Removal{Cluster: d.membership.Cluster, Node: d.name, At: time.Now()}
		if err := d.options.Folder.write(removedFile, removal); err != nil {
			d.logger.Warn("it could not be written down that this node was removed", "error", err)
		}
	}
	d.end(ErrRemoved)
}
