package message

// A fence intent: how it is begun, tried and ended.
var (
	FenceBegun      = New("fence-begun", "{fencer} fences it: {reason}")
	FenceByOperator = New("fence-by-operator", "an operator fences it: {reason}")
	FenceUnderWay   = New("fence-under-way", "{node} is being fenced")
	FenceAttempt    = New("fence-attempt", "fence attempt {number} by {fencer}, level {level}")

	// FenceUnconfirmed: an attempt ended without a proof.
	FenceUnconfirmed = New("fence-unconfirmed", "fence attempt by {fencer}: {outcome}: {evidence}")
	// FenceDoubted: what the devices confirmed is not borne out by what is known of the boot.
	FenceDoubted = New("fence-doubted", "[{evidence}; ]{reason}")
	// FencerLost: the node that made an attempt is gone, and its result with it.
	FencerLost = New("fencer-lost", "{fencer} was lost before it had a result")

	FenceConfirmed           = New("fence-confirmed", "confirmed off by {fencer}: {evidence}")
	FenceConfirmedByWatchdog = New("fence-confirmed-by-watchdog",
		"reset by its own watchdog, confirmed by {fencer}: {evidence}")
	FenceConfirmedByPill = New("fence-confirmed-by-pill",
		"reset by a message on its disk, confirmed by {fencer}: {evidence}")
	FenceConfirmedByHand = New("fence-confirmed-by-hand", "{by} confirms that the machine is off[: {reason}]")
	// FenceOfOldBoot: the machine had booted by the time its old boot was confirmed off.
	FenceOfOldBoot = New("fence-of-old-boot", "the boot that was confirmed off is not the present one")

	// NodeConfirmedOff is why what ran on a node is free.
	NodeConfirmedOff = New("node-confirmed-off", "{node} is confirmed off")
)

// Why a node is not fenced, or not by that node.
var (
	FenceBegunAlready  = New("fence-begun-already", "{node} is being fenced already")
	FenceNotNeeded     = New("fence-not-needed", "{service} no longer needs a fence of {node}")
	FenceNodeInTouch   = New("fence-node-in-touch", "{node} is {state}; a node in touch is not fenced")
	FenceInMaintenance = New("fence-in-maintenance", "{node} is {order} and is not fenced")
	FenceBootDiffers   = New("fence-boot-differs", "{node} runs boot {boot}, not {other}")
	FenceWhileDisarmed = New("fence-while-disarmed", "{disarmed}; `clusterd fence arm` ends that")
	FenceByItself      = New("fence-by-itself", "{node} does not fence itself")
	FenceWithoutDevice = New("fence-without-device", "{node} has no fence device")

	FencerUnable   = New("fencer-unable", "{fencer} cannot fence: {reason}")
	FencerAssigned = New("fencer-assigned", "{fencer} is fencing it already")
)

// Why the end of an attempt, or an operator's word, is not taken.
var (
	FenceNotUnderWay      = New("fence-not-under-way", "{node} is not being fenced")
	FenceNothingToConfirm = New("fence-nothing-to-confirm", "{node} is not being fenced, there is nothing to confirm")
	FenceOtherBoot        = New("fence-other-boot", "the fence intent for {node} is for boot {boot}, not for {other}")
	FenceNodeAlive        = New("fence-node-alive", "{node} is {state}: a machine that shows life is not off")
	FenceAttemptOver      = New("fence-attempt-over", "attempt {number} of fence intent {intent} is no longer open")
	PowerOnNotOrdered     = New("power-on-not-ordered", "nothing waits for {node} to be switched on")
)

// Power after a confirmed off.
var (
	PowerOnBegun  = New("power-on-begun", "{fencer} switches {node} on again")
	PowerOnDone   = New("power-on-done", "{node} was switched on again; it comes back when it has booted")
	PowerOnFailed = New("power-on-failed",
		"{node} was not switched on again: {problem}; `clusterd fence node {node} --on` tries once more")
)

// Why a confirmed off proves nothing by what is known of the boot.
var (
	ProofByOtherEffect = New("proof-by-other-effect",
		"level {level} proves by {effect} now, and the result is one by {proof}")
	ProofByNoEffect    = New("proof-by-no-effect", "level {level} proves nothing now, and the result is one by {proof}")
	ProofUUIDAmbiguous = New("proof-uuid-ambiguous",
		"the hardware UUID of {node} does not identify it ({reason}), and no drill has verified that {device} is its own; "+
			"run the fence drill for {node}")
	ProofWatchdogUnknown = New("proof-watchdog-unknown",
		"boot {boot} of {node} is not known to have armed a watchdog that ends with its lease")
	ProofWaitTooShort = New("proof-wait-too-short",
		"{node} was waited out for {duration}, its lease and watchdog take {limit}")
	ProofPillUnread = New("proof-pill-unread",
		"boot {boot} of {node} is not known to watch the disks of {device} for messages")
	ProofDiskNotCut = New("proof-disk-not-cut", "{node} was not cut off from every disk of {device}")
)

// Who else a hardware UUID could stand for, and which devices are declared twice.
var (
	UUIDOfOtherNode   = New("uuid-of-other-node", "node {node} has joined with it too")
	UUIDOfOtherDevice = New("uuid-of-other-device", "device {device} of node {node} tells it too")
	DeviceTwins       = New("device-twins",
		"device {device} of node {node} has the address {address}, and so has device {other} of node {neighbour}: "+
			"one of the two machines would be shot for the other; correct the address, or name the plug or "+
			"system of each in its options")
)

// The brake, by which half of the nodes are never shot.
var (
	BrakeOneAtOnce   = New("brake-one-at-once", "{node} is being fenced, one node at a time")
	BrakeSomeAtOnce  = New("brake-some-at-once", "{nodes} are being fenced, {limit#node} at a time")
	BrakeHalfOfNodes = New("brake-half-of-nodes",
		"one more shot would take {down} of {total} nodes down; half of them or more are never shot "+
			"without an operator")
	BrakeTooManyShots = New("brake-too-many-shots", "{shots#shot} in the last {window}, the limit without an operator")
)

// Disarming, by which nothing is shot for a while.
var (
	FencingDisarmed = New("fencing-disarmed",
		"{disarmed}; nothing is shot, and what a lost node held stays down until it is armed again"+
			"[; an attempt on {nodes} that is under way is not called back]")
	FencingArmed        = New("fencing-armed", "fencing is armed again after {duration}")
	DisarmExpired       = New("disarm-expired", "fencing is armed again after {duration}: the disarming has expired")
	FencingArmedAlready = New("fencing-armed-already", "fencing is armed already")

	DisarmedUntil    = New("disarmed-until", "fencing is disarmed until {time}[ by {by}][: {reason}]")
	DisarmOutOfRange = New("disarm-out-of-range",
		"fencing is disarmed for at least {shortest} and at most {longest}, not for {duration}")
)

// The guard of a boot.
var (
	NodeGuarded   = New("node-guarded", "guarded: {guards}")
	NodeUnguarded = New("node-unguarded", "guarded by nothing")

	GuardedByLease    = New("guarded-by-lease", "its watchdog resets it {timeout} after a lease of {lease} ran out")
	GuardedByWatchdog = New("guarded-by-watchdog", "its watchdog resets it within {timeout}")
	GuardedByPill     = New("guarded-by-pill", "it watches {disks#disk} for messages")
	GuardedByKey      = New("guarded-by-key", "its key is registered on {disks#disk}")

	GuardOutdated     = New("guard-outdated", "the guard of {node} is that of an older incarnation or boot")
	GuardWhileFenced  = New("guard-while-fenced", "{node} is being fenced; its guard is no longer recorded")
	GuardTooLong      = New("guard-too-long", "the guard of {node} lists more than {limit#disk}")
	GuardLeaseTooLong = New("guard-lease-too-long", "the lease of {node} is not shorter than its watchdog")
	GuardArmedAnew    = New("guard-armed-anew",
		"the watchdog of {node} was armed otherwise on this boot; other times and disks begin with the next one")
)

// Nodes that are cut off from their storage.
var (
	StorageCutOff       = New("storage-cut-off", "cut off from its storage by {fencer}: {evidence}")
	StorageCutNotEnough = New("storage-cut-not-enough",
		"{node} is cut off from its storage as before, which is not enough for all that it held")
	StorageCutOldBoot = New("storage-cut-old-boot", "the boot that was cut off is not the present one")
	StorageCutWhole   = New("storage-cut-whole", "{node} is cut off from all of its disks")
	StorageCutVoids   = New("storage-cut-voids", "{node} is cut off from its storage")
	StorageCutKeeps   = New("storage-cut-keeps",
		"{node} can be cut off from its storage alone, and then keeps {service}: {reason}")

	KeyBackCutAgain = New("key-back-cut-again",
		"DANGER: {node} was cut off from {disk} and has registered again; it was cut off once more; "+
			"switch the machine off by hand[: {reason}]")
	KeyBackNotCut = New("key-back-not-cut",
		"DANGER: {node} was cut off from {disk} and has registered again; cutting it off once more did not succeed; "+
			"switch the machine off by hand[: {reason}]")
	KeyBackNeverCut = New("key-back-never-cut", "boot {boot} of {node} is not one that was cut off")

	// KeysLost: the node itself found that its key is gone.
	KeysLost = New("keys-lost",
		"its key is gone from a disk that others hold: it stops what it runs and has to reboot")
	KeysLostOutdated = New("keys-lost-outdated",
		"what {node} says about its keys is from an older incarnation or boot")
)

// Why a boot that was cut off keeps a service all the same.
var (
	KeptNoVM         = New("kept-no-vm", "it is no VM, and what it does besides writing to disks goes on")
	KeptNotCut       = New("kept-not-cut", "it is not cut off")
	KeptDisksUnknown = New("kept-disks-unknown", "it is not known what was started there, and with which disks")
	KeptOtherDisk    = New("kept-other-disk", "{disk} is not among the disks that it was cut off from")
	KeptKeyUnknown   = New("kept-key-unknown",
		"{node} never said that its key for {disk} was registered, so a registration may still be on its way")
	KeptNoDisk  = New("kept-no-disk", "no disk is known that it writes to")
	KeptMayGoOn = New("kept-may-go-on",
		"it may go on running without its disks: neither was a watchdog waited out, nor does the service allow "+
			"storage_only")
)

// Drills, which prove that a node's devices are its own.
var (
	DrillBegun = New("drill-begun",
		"a drill of fence level {level} of {node} begins: its services move away first")
	DrillProven    = New("drill-proven", "the drill proved that the power of {node} is cut by {devices}")
	DrillUnproven  = New("drill-unproven", "the drill proved nothing: {outcome}: {evidence}")
	DrillSucceeded = New("drill-succeeded", "the drill succeeded: {reason}")
	DrillFailed    = New("drill-failed", "the drill FAILED: {reason}")

	// DrillUnconfirmed is what a drill failed of, and what to do about its node.
	DrillUnconfirmed = New("drill-unconfirmed",
		"{outcome}: {evidence}. A node that is still up takes services again after `systemctl restart clusterd` on it")
	DrillOutdated = New("drill-outdated",
		"the document changed during the drill, so it proved nothing about the devices that are declared now; repeat it")
)

// Why a drill does not begin, or does not end.
var (
	DrillNeedsOperator = New("drill-needs-operator", "a drill needs an operator")
	DrillNodeNotUp     = New("drill-node-not-up", "{node} is {state}; a drill needs a node in touch")
	DrillNodeBusy      = New("drill-node-busy",
		"{node} may be running {service}; let it leave first with `clusterd node leave {node}`")
	DrillWithoutLevel = New("drill-without-level", "{node} has no fence level {level}")
	DrillWithoutPower = New("drill-without-power",
		"level {level} of {node} switches no power, so a drill would not show whose it is")
	DrillUnderWay     = New("drill-under-way", "a drill of {node} is under way, one at a time")
	DrillNotUnderWay  = New("drill-not-under-way", "no such drill of {node} is under way")
	DrillWhileFencing = New("drill-while-fencing", "{node} is being fenced; a drill waits for that")

	DrillScheduleWaits   = New("drill-schedule-waits", "a drill by schedule waits: {reason}")
	DrillNeedsThreeNodes = New("drill-needs-three-nodes", "it needs three nodes, so that the others go on")
	DrillFailedLast      = New("drill-failed-last",
		"the last drill of {node} failed; `clusterd fence test {node}` after the repair lets the schedule go on")
)
