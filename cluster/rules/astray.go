package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TakenFrom says which disk of a VM that went astray belongs to another service
// (law L9): nobody could refuse what a person attached by hand.
func (w *World) TakenFrom(service cluster.Service) message.Text {
	for _, other := range w.Others(service.Spec.Name, service.Spec.UUID) {
		for _, mine := range service.Holders {
			if disks := resources.Conflicts(mine.Disks, other.Spec.Disks); len(disks) > 0 {
				return message.DiskBelongsToo.With(disks[0], service.Spec.Name, mine.Node, other.Spec.Name)
			}
			for _, theirs := range other.Holders {
				if disks := resources.Conflicts(mine.Disks, theirs.Disks); len(disks) > 0 {
					return message.DiskWrittenTwice.With(
						disks[0], service.Spec.Name, mine.Node, other.Spec.Name, theirs.Node)
				}
			}
		}
	}
	return message.Text{}
}
