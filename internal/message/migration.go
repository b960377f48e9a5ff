package message

// How a migration ended.
var (
	MigrationDone = New("migration-done",
		"moved live from {node} to {target}[: {total} in all, guest stopped for {downtime}]")
	MigrationUnclean    = New("migration-unclean", "the migration did not end cleanly[: {reason}]")
	MigrationReady      = New("migration-ready", "the target can take it[: {facts}]")
	MigrationRefused    = New("migration-refused", "the target cannot take it, and nothing was sent[: {reason}]")
	MigrationUnanswered = New("migration-unanswered",
		"the target has not said whether it can take it, and nothing was sent[: {reason}]")
	// MigrationStalled: what follows may leave memory at both ends.
	MigrationStalled = New("migration-stalled",
		"the guest writes faster than its memory is copied; it goes on at {target} first, and its memory follows[: {reason}]")
	MigrationOnlyPreCopy = New("migration-only-pre-copy", "the target can take it, but not by post-copy: {facts}")
	MigrationNotSent     = New("migration-not-sent", "nothing had been sent yet[: {reason}]")
	MigrationGivenUp     = New("migration-given-up", "given up by {by}")
	// MigrationOtherStage refuses a result that came too late.
	MigrationOtherStage = New("migration-other-stage", "the migration of {service} is no longer in stage {stage}")
	MigrationFailed     = New("migration-failed", "migration to {target} failed[: {reason}]")
	MigrationUndone     = New("migration-undone", "the migration is undone, it stays on {node}[: {reason}]")
	// MigrationAtNeitherEnd: both ends are proven empty.
	MigrationAtNeitherEnd = New("migration-at-neither-end", "the migration ended with the guest at neither end: "+
		"every node in touch is asked, then it is started again")
	// MigrationGuestLost is the same as a reason not to try that target again soon.
	MigrationGuestLost    = New("migration-guest-lost", "it ended with the guest at neither end")
	MigrationRunningTwice = New("migration-running-twice", "RUNNING TWICE on {node} and {target}: "+
		"the copy on {target} is paused at once. Decide which one is right and stop the other by hand")
)

// How a migration that did not end cleanly is settled.
var (
	MigrationEndsAsked = New("migration-ends-asked", "{reason}: both ends of the migration are asked")
	// MigrationEndGone: one end is proven empty, or its machine off.
	MigrationEndGone  = New("migration-end-gone", "{node} is out of the migration")
	MigrationOtherEnd = New("migration-other-end",
		"{node} is out of the migration[ ({proof})]; what is left at the other end is being checked")
	MigrationSourceAnswered = New("migration-source-answered", "asked after the source has answered")
	// MigrationPartLost: what is left at one end can never run.
	MigrationPartLost = New("migration-part-lost", "a part of its memory was lost with the other end of its "+
		"post-copy: what is left of it on {node} is ended, then it is started again")
	// MigrationSplit: neither end can run without the other.
	MigrationSplit = New("migration-split", "its memory is at {node} and at {target}, and the copying was "+
		"interrupted: {node} goes on with it, and neither end is stopped meanwhile[ ({reason})]")
	MigrationEndUnknown    = New("migration-end-unknown", "the end of the migration is unknown")
	MigrationDaemonStarted = New("migration-daemon-started", "its daemon started during the migration")
	MigrationNoProof       = New("migration-no-proof", "the last answer proved nothing")
)

// How a migration is ended on request.
var (
	MigrationTuned     = New("migration-tuned", "its migration goes on with {limits}[: {reason}]")
	MigrationCancelled = New("migration-cancelled", "its migration is to be given up[: {reason}]")
	// MigrationEndless: its service is to be down, and it goes on.
	MigrationEndless = New("migration-endless",
		"disabled, and its migration does not end: it is destroyed on {node} and on {target}")
	// MigrationOverdue: its node is to be left, and what became of it nobody can tell.
	MigrationOverdue = New("migration-overdue", "the deadline to leave {node} has passed, and its migration "+
		"does not end: it is destroyed on {node} and on {target}")
	MigrationDestroyed = New("migration-destroyed", "destroyed at both ends of its migration")
)

// Why a command about a migration is refused.
var (
	MigrationClosed    = New("migration-closed", "the migration {intent} of {service} is no longer open")
	MigrationWanted    = New("migration-wanted", "nothing asks for the migration of {service} to end")
	MigrationEnding    = New("migration-ending", "the migration of {service} is being ended already")
	MigrationOtherNode = New("migration-other-node", "{node} is neither source nor target of this migration")
	MigrationNotGiven  = New("migration-not-given", "the migration was not given to this incarnation of {node}")
)
