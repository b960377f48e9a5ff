package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// disksTaken says which running service has a disk of this one (law L9). Both were
// declared with it, and whoever came first keeps it: the other does not come up
// by itself, and must not hold up what starts after it.
func (p *planner) disksTaken(service Service) string {
	for _, other := range p.Services.rows {
		if other.Spec.Name == service.Spec.Name || !other.up() {
			continue
		}
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("its disk %s is in use by %s", disks[0], other.Spec.Name)
			}
		}
	}
	return ""
}
