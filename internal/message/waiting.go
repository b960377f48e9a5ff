package message

// What a start waits for.
var (
	StartWaits       = New("start-waits", "waits {obstacles}")
	WaitsForFencing  = New("waits-for-fencing", "for the fencing of {node}, where it may be running")
	WaitsForLostNode = New("waits-for-lost-node",
		"for {node} ({state}), where it may be running: until that node answers or is confirmed off")
	WaitsForAnswer       = New("waits-for-answer", "for {node} to tell whether it runs there")
	WaitsForHypervisor   = New("waits-for-hypervisor", "for the hypervisor on {node}, which does not answer")
	WaitsForNode         = New("waits-for-node", "waits for {node}, which is {reason}")
	WaitsForExpectedNode = New("waits-for-expected-node",
		"waiting up to {limit} for {node}, the preferred node")
	WaitsForRoom      = New("waits-for-room", "waits for room on {node}, which {service} makes by moving live")
	WaitsForTurn      = New("waits-for-turn", "waits its turn: {starts} are starting, and start_at_once is {limit}")
	WaitsForTiers     = New("waits-for-tiers", "it is in tier {tier} and waits for {services}")
	LowerTier         = New("lower-tier", "{service} (tier {tier}, {state})")
	LowerTierProbe    = New("lower-tier-probe", "{service} to answer its probe")
	LowerTierMore     = New("lower-tier-more", "{number} more")
	WaitsForLoopPause = New("waits-for-loop-pause", "{loop}; it is started again {pause} after that")
	HeldByRequest     = New("held-by-request", "it was stopped by request, until the next change of a node")
)

// What a service waits for that depends on another one.
var (
	DependencyDown = New("dependency-down",
		"waits for {service}, on which it depends and which is {state}[: {reason}]")
	DependencyStopping = New("dependency-stopping", "waits for {service}, on which it depends and which is being stopped")
	DependencyUnready  = New("dependency-unready",
		"waits for {service}, on which it depends and which is {state} and does not answer its probe yet")
)

// Why a service does not come up by itself.
var (
	IdleDisabled  = New("idle-disabled", "it is not enabled")
	IdleStopped   = New("idle-stopped", "it was stopped until the next change of a node")
	IdleStuck     = New("idle-stuck", "it may be on {node}, where only an administrator can help")
	IdleCycle     = New("idle-cycle", "it depends on itself")
	IdleDepends   = New("idle-depends", "{service} does not come up: {reason}")
	IdleDiskTaken = New("idle-disk-taken", "its disk {disk} is in use by {service}")
)

// What a stop waits for.
var (
	StopAfterDependents = New("stop-after-dependents", "it is stopped after what needs it: {services}")
	StopAfterStarts     = New("stop-after-starts",
		"it is stopped once what depends on it and is being started is up")
	StopAfterOther = New("stop-after-other", "it is stopped after {service}")
	StopUnasked    = New("stop-unasked",
		"it runs on {node} as far as is known, and cannot be asked to stop now")
	StopWhenBack = New("stop-when-back",
		"it may be running on {node}, which is {state}; it is stopped there when the node is back or fenced")
)

// Acts under way.
var (
	ActWaits    = New("act-waits", "its {act} waits for {node}: {reason}")
	ActUnderWay = New("act-under-way",
		"its {act} on {node} has been under way since {since}; it is given up at {deadline}")
	ActForTurn = New("act-for-turn",
		"its {act} on {node} has been under way since {since}: {acts} such acts are open there, "+
			"which does {limit} at a time, so it may be waiting for its turn")
	ActOverdue = New("act-overdue",
		"its {act} on {node} has been under way since {since}, longer than it has time for ({limit}), "+
			"and {node} has not told how it ended, so nothing else is tried")
	MigrationUnsettled = New("migration-unsettled",
		"its migration did not end cleanly; {nodes} are asked which of them runs it")
	MigrationBeingEnded = New("migration-being-ended", "it is being ended; {node} has not confirmed that")
	// MigrationKept: its migration has to end, and destroying it would lose what its guest wrote.
	MigrationKept  = New("migration-kept", "its migration has to end and is not destroyed unasked: {loss}")
	DoGiveUpMoving = New("do-give-up-moving", "mend what its process waits for, or give that up: "+
		"`clusvcadm -d {service} --declared-disks`, which destroys it at both ends")
)

// Services that run, or may run, otherwise than they should.
var (
	FrozenAlone = New("frozen-alone",
		"it is {state} and frozen[ by {by}][ {until}]: nothing is done to it, whatever happens[: {reason}]")
	OwnerPaused = New("owner-paused", "paused on {node}[: {reason}]")
	OwnerUnwell = New("owner-unwell", "{state} on {node}[: {reason}]")
	CopyUntold  = New("copy-untold", "it runs on {node}; {other} has not told yet whether it is there too")
	CopyFound   = New("copy-found", "it runs on {node}, and a copy on {other} is {state}[: {reason}]")
	ForeignCopy = New("foreign-copy",
		"{state} on {node}; clusterd does not continue what it did not start there[: {reason}]")
	DisabledRuns   = New("disabled-runs", "it runs on {node} although it is disabled")
	DisabledThere  = New("disabled-there", "it is disabled, and {state} on {node}[: {reason}]")
	DisabledUnseen = New("disabled-unseen", "it is disabled, and not yet looked for on {node}[: {reason}]")
	GraveSilent    = New("grave-silent",
		"removed from the document, and may still be running on {node}, so its disks stay reserved; {reason}")
	GraveUnproven = New("grave-unproven",
		"removed from the document, and not proven gone from {node}, so its disks stay reserved")
)

// Nodes that do not take or give work as they should.
var (
	LeavingHolds   = New("leaving-holds", "leaving; still holds {services}")
	OrderHolds     = New("order-holds", "{order}; still holds {services}")
	OrderHoldsNone = New("order-holds-none", "{order}; it holds nothing")
	OrderUnfenced  = New("order-unfenced", "{order}; it holds nothing and is not fenced")
	HeldFailed     = New("held-failed", "{service} (failed; `clusvcadm -d {service}` tries to stop it again)")
	HeldFrozen     = New("held-frozen", "{service} (frozen; `clusvcadm -U {service}`)")
	NodeRestarting = New("node-restarting", "{restarts}; it is given no work until one does"+
		"[, and unless one lasts for {grace}, {node} is fenced in {rest} and what runs there starts elsewhere]"+
		"[; it is not fenced for that: {held}]")
	// NodeStandsBy is what a node tells as its hypervisor's state, too: no act is given to it.
	NodeStandsBy = New("node-stands-by", "what clusterd there knows is not what the other nodes agreed upon; "+
		"it does nothing before it has begun anew")
	HypervisorHangs = New("hypervisor-hangs",
		"its hypervisor does not answer, so no VM is started there or moved there, "+
			"and what runs there is left alone: {reason}")
)

// The whole cluster.
var (
	VersionHeldBack = New("version-held-back",
		"cluster version {version} stays in force until {nodes} can follow version {newest}")
	BehindNotUp  = New("behind-not-up", "{node} (not up yet)")
	BehindOlder  = New("behind-older", "{node} (clusterd {version})")
	LockStopping = New("lock-stopping", "{lock}; {services#service} not stopped yet")
	LockStopped  = New("lock-stopped", "{lock}; everything is stopped")
)
