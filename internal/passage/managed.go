package passage

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// KeepManaged tells the doorkeeper which VMs are managed.
func (d *Door) KeepManaged(ctx context.Context) {
	if d.Managed == nil {
		return
	}
	var told []string
	first := true
	for {
		changed := d.Log.Changed()
		uuids := managed(d.Log.Root())
		if d.Incarnation() != 0 && (first || !slices.Equal(uuids, told)) {
			if err := d.Managed(uuids); err != nil {
				d.Warnings.Set("doorkeeper", "the list of managed VMs could not be written: "+err.Error())
			} else {
				first, told = false, uuids
				d.Warnings.Set("doorkeeper", "")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(5 * time.Second):
		}
	}
}

func managed(root *cluster.State) []string {
	var uuids []string
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		uuids = append(uuids, strings.ToLower(service.Spec.UUID))
	}
	uuids = append(uuids, root.Tombstones.Keys()...)
	slices.Sort(uuids)
	return uuids
}
