package message

// What was seen of a service on a node.
var (
	ServiceFound         = New("service-found", "found running on {node}, taken in as it is")
	ServiceFoundDisabled = New("service-found-disabled",
		"found running on {node} although disabled; disable it again to stop it, or enable it to keep it")
	ServiceFoundElsewhere = New("service-found-elsewhere",
		"found {condition} on {node}, although it belongs to {owner}[: {reason}]")
	ServiceFoundWhileStarting = New("service-found-while-starting",
		"found {condition} on {node} while it was being started")
	ServiceNowhere = New("service-nowhere", "every node has looked, it runs nowhere")
	// ServiceSeen: its owner's node shows a condition that needs no act.
	ServiceSeen             = New("service-seen", "{condition} on {node}[ ({reason})]")
	ServiceConditionUnknown = New("service-condition-unknown", "the hypervisor on {node} does not answer[ ({reason})]: "+
		"nothing is known about it, so nothing is done to it")
	ServiceRunningTwice = New("service-running-twice",
		"RUNNING TWICE: seen on {nodes}; {consequence}. Decide which one is right and stop the other by hand")
	// ServiceRunningTwiceBusy: a second copy was found while an intent is open.
	ServiceRunningTwiceBusy = New("service-running-twice-busy", "RUNNING TWICE: found running on {node} "+
		"while there is work on it on {other}; one of them is paused when that has ended. "+
		"Decide which one is right and stop the other by hand")
	// NodeLeftNotEmpty: somebody brought a service to a node that had left.
	NodeLeftNotEmpty = New("node-left-not-empty", "it had left, and {service} is {condition} there")
)

// What became of a guest, and what it runs on.
var (
	VMCrashed = New("vm-crashed", "the guest crashed[ on {node}]")
	VMPaused  = New("vm-paused",
		"paused on {node}[ ({reason})]; clusterd does not resume what it did not pause")
	VMPausedByClusterd = New("vm-paused-by-clusterd",
		"paused on {node} by clusterd, because it was found running twice; a person decides which is right")
	VMAnswers   = New("vm-answers", "the guest answers its probe")
	VMDisksBack = New("vm-disks-back", "it runs again on the disks that it was started with")
	// VMPlugged: devices besides disks; nothing is refused for them.
	VMPlugged   = New("vm-plugged", "plugged in while it runs, and in no definition: {devices}; its next start is without")
	VMUnplugged = New("vm-unplugged", "it no longer has a device that its next start is without")
	// DoDeclareDevices says what a person does about them.
	DoDeclareDevices = New("do-declare-devices", "put them into the definition of {service}, or unplug them")
	// VMPluggedThen: the definition was declared anew, and a look may not have compared it yet.
	VMPluggedThen = New("vm-plugged-then", "plugged in while it runs, and not in the definition by which it was "+
		"started: {devices}; its next start is by another one, which may lack them")
	DoSeeDevices = New("do-see-devices", "see that the definition of {service} has them, or unplug them")

	VMDisksOther = New("vm-disks-other", "it runs on other disks than it was started with: {drift}"+
		"[. ONE DISK, TWO SERVICES: {conflict}]")
)

// How a service ended where it ran.
var (
	ServiceGone        = New("service-gone", "gone from {node}[: {reason}]")
	ServiceDisappeared = New("service-disappeared", "disappeared from {node} without an event; "+
		"every node in touch is asked for it before it is started again")
	// ServiceVanished is the reason of an end that nothing explains.
	ServiceVanished = New("service-vanished", "it disappeared")
	ServiceLeftDown = New("service-left-down", "{reason}; its recovery policy leaves it down")
	// ServiceReleased: a node that might have been running it is proven not to.
	ServiceReleased = New("service-released", "no longer running on {node}[: {proof}]")
	ServiceCopyGone = New("service-copy-gone", "the copy on {node} is gone, it belongs to {owner}"+
		"[, and ran on other disks than it was started with: {drift}][: {proof}]")
	ServiceFailed       = New("service-failed", "failed on {node}[: {reason}]")
	ServiceFailedFrozen = New("service-failed-frozen",
		"failed on {node}[: {reason}]; it is frozen, so nothing is done")
	ServiceStopped    = New("service-stopped", "it is proven to have stopped")
	ServiceStopProven = New("service-stop-proven", "{proof}")
	ServiceStartedSo  = New("service-started-so", "{how}")
	ServicePartMended = New("service-part-mended", "{part}")
	ServiceDisabled   = New("service-disabled", "disabled, it runs nowhere")
	// ServiceLoops: it has ended again soon after its start.
	ServiceLoops = New("service-loops", "{reason}: {loop}; it rests for {pause} before it is started again, "+
		"and the next event comes at round {round}")
)

// How a start, a stop or a change ended.
var (
	StartFailed = New("start-failed", "start failed[: {reason}]")
	StopFailed  = New("stop-failed", "stop failed on {node}[: {reason}]; it may still be running there. "+
		"Disable it to try again, or fence {node}")
	// ServiceUpWithout: it came up without something that it had elsewhere.
	ServiceUpWithout = New("service-up-without", "{reason}; {lack}")
	// ServiceUpElsewhere: a move was to end on another node.
	ServiceUpElsewhere = New("service-up-elsewhere", "it came to {node} instead")
	ConvalesceDone     = New("convalesce-done", "all its resources run again")
	ConvalesceFailed   = New("convalesce-failed", "what is down could not be started[: {reason}]")
	ReconfigureBegun   = New("reconfigure-begun", "puts its changed declaration in force")
	ReconfigureInForce = New("reconfigure-in-force", "its changed declaration is in force[: {reason}]")
	ReconfigureFailed  = New("reconfigure-failed", "its changed declaration could not be put in force[: {reason}]")
	ReconfigureWaits   = New("reconfigure-waits", "{reason}; it counts from the next start (clusvcadm -R {service})")
)

// Why a node counts as a holder of a service, or is asked whether it is one.
var (
	HolderStarting        = New("holder-starting", "start intent")
	HolderMigrationTarget = New("holder-migration-target", "migration target")
	HolderFound           = New("holder-found", "found here")
	HolderAskedMissing    = New("holder-asked-missing", "asked after a disappearance")
)

// Acts that were taken back because their executor is gone.
var (
	IntentVoided       = New("intent-voided", "{reason}: the result of the {intent} is unknown, so {node} is asked")
	FenceAttemptVoided = New("fence-attempt-voided", "the fence attempt by {node} has no result: {reason}")
)

// Reports of an agent that count for nothing.
var (
	IntentClosed   = New("intent-closed", "the intent {intent} of {service} is no longer open")
	IntentNotGiven = New("intent-not-given",
		"the intent {intent} of {service} was not given to this incarnation of {node}")
	ResultOutdated       = New("result-outdated", "the result comes from an older incarnation of {node}")
	LookOutdated         = New("look-outdated", "the answer comes from an older incarnation of {node}")
	LookNotAsked         = New("look-not-asked", "{node} was not asked about {service} at index {index}")
	ServiceUnknown       = New("service-unknown", "there is no service {service}")
	ObservationOutdated  = New("observation-outdated", "the observation comes from an older incarnation of {node}")
	ObservationOtherVM   = New("observation-other-vm", "the observation is about VM {uuid}, {service} is {declared}")
	ObservationMidAct    = New("observation-mid-act", "{service} has an open intent on {node}")
	ObservationBeforeAct = New("observation-before-act",
		"the observation is older than the last act on {service} there")
	ObservationNotNewer = New("observation-not-newer",
		"the observation is not newer than the last look at {service} there")
)
