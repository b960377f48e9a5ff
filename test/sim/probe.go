package sim

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// probe asks the guests that have just been started here whether they answer,
// and tells once they do.
func (d *daemon) probe() {
	w := d.host.world
	for _, service := range d.root.Services.Rows() {
		name := service.Spec.Name
		since := service.Since
		if service.Spec.Probe == "" || service.State != resources.Started || service.Owner != d.host.Name ||
			d.probed[name] == since {
			continue
		}
		d.probed[name] = since
		if w.Mute[name] {
			continue
		}
		d.after(w.between(500*time.Millisecond, 2*time.Second), func() {
			if now, known := d.host.state.Services.Get(name); known && now.Owner == d.host.Name && now.Since == since {
				w.Propose(d.host.Name, cluster.Probed{Service: name, Node: d.host.Name, At: epoch.Add(w.Now)}, nil)
			}
		})
	}
}
