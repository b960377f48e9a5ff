package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// TakenFrom says which disk of a VM that went astray belongs to another service
// (law L9): nobody could refuse what a person attached by hand.
func (w *World) TakenFrom(service cluster.Service) string {
	for _, other := range w.Others(service.Spec.Name, service.Spec.UUID) {
		for _, mine := range service.Holders {
			if disks := resources.Conflicts(mine.Disks, other.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("%s is written by %s on %s and belongs to %s",
					disks[0], service.Spec.Name, mine.Node, other.Spec.Name)
			}
			for _, theirs := range other.Holders {
				if disks := resources.Conflicts(mine.Disks, theirs.Disks); len(disks) > 0 {
					return fmt.Sprintf("%s is written by %s on %s and may be by %s on %s",
						disks[0], service.Spec.Name, mine.Node, other.Spec.Name, theirs.Node)
				}
			}
		}
	}
	return ""
}
