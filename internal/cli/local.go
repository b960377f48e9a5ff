package cli

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// StatusInLocalTime returns the status with its times in the zone of whoever
// reads.
func StatusInLocalTime(status api.Status) api.Status {
	status.At = local(status.At)
	if status.Lock != nil {
		lock := LockInLocalTime(*status.Lock)
		status.Lock = &lock
	}
	status.Nodes, status.Services = slices.Clone(status.Nodes), slices.Clone(status.Services)
	for i := range status.Nodes {
		status.Nodes[i].Since = local(status.Nodes[i].Since)
	}
	for i := range status.Services {
		service := &status.Services[i]
		service.Since = local(service.Since)
		if service.Freeze != nil {
			freeze := *service.Freeze
			freeze.At, freeze.Until = local(freeze.At), local(freeze.Until)
			service.Freeze = &freeze
		}
		service.Failures = slices.Clone(service.Failures)
		for j := range service.Failures {
			service.Failures[j].At = local(service.Failures[j].At)
		}
	}
	return status
}

// LockInLocalTime does the same for a lock.
func LockInLocalTime(lock api.LockStatus) api.LockStatus {
	lock.At = local(lock.At)
	return lock
}

// local leaves an instant that is none as it is: in another zone it would read as
// one.
func local(instant time.Time) time.Time {
	if instant.IsZero() {
		return instant
	}
	return instant.Local()
}
