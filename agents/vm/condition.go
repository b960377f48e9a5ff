//go:build cgo

package vm

import (
	"errors"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

var pausedReasons = map[libvirt.DomainPausedReason]string{
	libvirt.DOMAIN_PAUSED_USER:            "user",
	libvirt.DOMAIN_PAUSED_MIGRATION:       "migration",
	libvirt.DOMAIN_PAUSED_SAVE:            "save",
	libvirt.DOMAIN_PAUSED_DUMP:            "dump",
	libvirt.DOMAIN_PAUSED_IOERROR:         "ioerror",
	libvirt.DOMAIN_PAUSED_WATCHDOG:        "watchdog",
	libvirt.DOMAIN_PAUSED_FROM_SNAPSHOT:   "from snapshot",
	libvirt.DOMAIN_PAUSED_SHUTTING_DOWN:   "shutting down",
	libvirt.DOMAIN_PAUSED_SNAPSHOT:        "snapshot",
	libvirt.DOMAIN_PAUSED_CRASHED:         "crashed",
	libvirt.DOMAIN_PAUSED_STARTING_UP:     "starting up",
	libvirt.DOMAIN_PAUSED_POSTCOPY:        "post-copy",
	libvirt.DOMAIN_PAUSED_POSTCOPY_FAILED: "post-copy failed",
	libvirt.DOMAIN_PAUSED_API_ERROR:       "resume failed",
}

// job is the migration that a VM takes part in.
type job int

const (
	noJob job = iota
	jobIn
	jobOut
)

// conditionOf maps libvirt's state of an active VM. The sending half of a
// migration counts as running even while its guest stands still, because it
// resumes by itself when the migration fails.
func conditionOf(state libvirt.DomainState, reason int, job job) (agents.Condition, string) {
	switch state {
	case libvirt.DOMAIN_RUNNING, libvirt.DOMAIN_BLOCKED:
		return runningCondition(libvirt.DomainRunningReason(reason), job)
	case libvirt.DOMAIN_PAUSED:
		return pausedCondition(libvirt.DomainPausedReason(reason), job)
	case libvirt.DOMAIN_SHUTDOWN:
		return agents.ShuttingDown, "shutdown"
	case libvirt.DOMAIN_CRASHED:
		return agents.Crashed, "crashed"
	case libvirt.DOMAIN_PMSUSPENDED:
		return agents.Paused, "suspended by its guest"
	}
	return agents.Unknown, "libvirt shows no state"
}

func runningCondition(reason libvirt.DomainRunningReason, job job) (agents.Condition, string) {
	switch {
	case reason == libvirt.DOMAIN_RUNNING_POSTCOPY_FAILED:
		return agents.Split, "post-copy failed" // "running" in name only: its memory is elsewhere.
	case reason == libvirt.DOMAIN_RUNNING_POSTCOPY:
		return agents.Split, resources.PostCopyGoing
	case job == jobOut:
		return agents.Running, reasonMigratingOut
	case reason == libvirt.DOMAIN_RUNNING_MIGRATED:
		return agents.Running, "migrated"
	case reason == libvirt.DOMAIN_RUNNING_MIGRATION_CANCELED:
		return agents.Running, "migration canceled"
	}
	return agents.Running, ""
}

func pausedCondition(reason libvirt.DomainPausedReason, job job) (agents.Condition, string) {
	word := pausedReasons[reason]
	switch {
	case reason == libvirt.DOMAIN_PAUSED_POSTCOPY:
		return agents.Split, resources.PostCopyGoing
	case reason == libvirt.DOMAIN_PAUSED_POSTCOPY_FAILED:
		return agents.Split, word
	case job == jobIn:
		return agents.Incoming, "migration"
	case job == jobOut:
		return agents.Running, reasonMigratingOut
	case reason == libvirt.DOMAIN_PAUSED_SHUTTING_DOWN:
		return agents.ShuttingDown, "shutdown"
	case reason == libvirt.DOMAIN_PAUSED_CRASHED:
		return agents.Crashed, "crashed"
	case word == "":
		word = "for an unknown reason"
	}
	return agents.Paused, word
}

// jobOf reads the migration job of an active VM.
func jobOf(domain *libvirt.Domain) (job, *libvirt.DomainJobInfo) {
	info, err := domain.GetJobStats(0)
	var answer libvirt.Error
	if errors.As(err, &answer) && answer.Code == libvirt.ERR_OPERATION_INVALID {
		// libvirt refuses figures to the receiving half, and only to it: "migration
		// statistics are available only on the source host".
		if active, err := domain.IsActive(); err == nil && active {
			return jobIn, nil
		}
	}
	if err != nil || info.Type == libvirt.DOMAIN_JOB_NONE || !info.OperationSet {
		return noJob, nil
	}
	switch info.Operation {
	case libvirt.DOMAIN_JOB_OPERATION_MIGRATION_OUT:
		return jobOut, info
	case libvirt.DOMAIN_JOB_OPERATION_MIGRATION_IN:
		return jobIn, info
	}
	return noJob, nil
}

// endings are the words for how a VM stopped, and whether that explains it.
// A VM that was migrated away runs elsewhere, so its going explains nothing.
var endings = map[libvirt.DomainEventStoppedDetailType]struct {
	word      string
	explained bool
}{
	libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN:  {"shut down by its guest", true},
	libvirt.DOMAIN_EVENT_STOPPED_DESTROYED: {"destroyed", true},
	libvirt.DOMAIN_EVENT_STOPPED_CRASHED:   {"crashed", true},
	libvirt.DOMAIN_EVENT_STOPPED_FAILED:    {"its QEMU process ended", true},
	libvirt.DOMAIN_EVENT_STOPPED_MIGRATED:  {"migrated away", false},
	libvirt.DOMAIN_EVENT_STOPPED_SAVED:     {"saved to a file", false},
}
