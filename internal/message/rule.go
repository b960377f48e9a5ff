package message

// What keeps two services off one node.
var (
	ClashExclusive     = New("clash-exclusive", "it is exclusive, and {service} is here")
	ClashWithExclusive = New("clash-with-exclusive", "{service} is here, which is exclusive")
	ClashApart         = New("clash-apart", "it is kept apart from {service}, which is here")
)

// What a node has too little of for a service.
var (
	MemoryShort = New("memory-short",
		"it has {free} of memory free of {total} for services, and {service} needs {need}")
	HugePagesShort = New("huge-pages-short",
		"it has {free} free of {total} in huge pages, and {service} needs {need} of them")
	ProcessorsShort = New("processors-short",
		"{free} of the {total} CPUs that may be promised are free, and {service} needs {need}")
)

// What a node has, as it tells.
var (
	CapacityOutdated = New("capacity-outdated", "what {node} has is told by an older incarnation of it")
	CapacityChanged  = New("capacity-changed", "it has {capacity}, and had {former}")
	CapacityUnknown  = New("capacity-unknown",
		"{node} has not told how much memory it has: what comes there is not held against it")
	DoTellCapacity = New("do-tell-capacity",
		"install the newest clusterd on {node}; its log says so if it cannot read /proc/meminfo")
	CapacityOver = New("capacity-over",
		"services take {taken} of memory, and it may give {limit}: nothing that needs memory comes here")
	DoRelieveNode = New("do-relieve-node",
		"what runs stays; move something away, or change reserve_memory or memory_overcommit of {node}")
	DemandUnknown = New("demand-unknown",
		"it is not known how much memory these VMs need, so they count for nothing: {services}")
	DoApplyAgain = New("do-apply-again",
		"put the document into force again: `clusterd config show > FILE`, then `clusterd config apply FILE`")
	DoFreeMemory = New("do-free-memory",
		"it would fit on {node} without {service}[, or on {other} once that is back]")
	MoreOfThem  = New("more-of-them", "{number} more")
	DoBringBack = New("do-bring-back", "it would fit on {node} once that is back")
)

// What is asked about hosts that are well.
var (
	WhatIfDown   = New("what-if-down", "what if {node} had no power")
	WhatIfNobody = New("what-if-nobody", "no node would be left that could run anything")
)

// What a dependency asks of a service.
var (
	DependsOnDown    = New("depends-on-down", "it depends on {service}, which is {state}")
	DependsOnMoving  = New("depends-on-moving", "it depends on {service}, which moves to {node}")
	DependsOnLeaving = New("depends-on-leaving", "it depends on {service}, which somebody asked to {operation}")
	DependsOnChain   = New("depends-on-chain", "it depends on {service}, which goes down too: {reason}")
)

// Disks that two services may write to.
var (
	DiskTaken        = New("disk-taken", "disk {disk} may be written by {service} on {node}")
	DiskBelongsToo   = New("disk-belongs-too", "{disk} is written by {service} on {node} and belongs to {other}")
	DiskWrittenTwice = New("disk-written-twice",
		"{disk} is written by {service} on {node} and may be written by {other} on {elsewhere}")
)

// The lock of the cluster, and what ends it.
var (
	LockHolds       = New("lock-holds", "no service is started: the cluster is locked[ by {by}][: {reason}]")
	LockStopsAll    = New("lock-stops-all", "the whole cluster was stopped[ by {by}][: {reason}]")
	DoUnlockCluster = New("do-unlock-cluster", "`clusvcadm -u`")
	DoStartCluster  = New("do-start-cluster", "`clusterd cluster start`")
)

// Why a node may not be given an act.
var ()

// Why a node may not become the home of a service.
var (
	TargetBarred     = New("target-barred", "{node}: {reason}")
	NodeIsWitness    = New("node-is-witness", "{node} is a witness and runs no services")
	NodeInState      = New("node-in-state", "{node} is {state}")
	TargetUnderOrder = New("target-under-order", "{node} is {order}")
	TargetUnguarded  = New("target-unguarded", "{node} runs nothing yet: {reason}")
	TargetHung       = New("target-hung", "its hypervisor does not answer")
)

// Why an intent of any kind is out of date when it comes to be applied.
var (
	IntentUnknown    = New("intent-unknown", `"{intent}" is no intent`)
	IntentOpen       = New("intent-open", "{service} has an open intent to {intent} since index {index}")
	IntentFrozen     = New("intent-frozen", "{service} is frozen")
	IntentDefinition = New("intent-definition",
		"the definition {definition} is not the one in force for {service}")
)

// Why a service may not be started.
var (
	ServiceRunsAlready = New("service-runs-already", "{service} runs on {node}")
	StartMayRun        = New("start-may-run", "{service} may be running on {node} (boot {boot})")
	StartUnanswered    = New("start-unanswered", "{node} has not told yet whether it runs {service}")
	StartDisabled      = New("start-disabled", "{service} is disabled")
	// StartLeftover: what an interrupted start left has to be gone on with, or removed.
	StartLeftover = New("start-leftover",
		"what is left of {service} on {node} was started from definition {definition}")
	StartLeftoverDisks = New("start-leftover-disks",
		"what is left of {service} on {node} was started with other disks than it is declared with now")
)

// Why a service may not be stopped.
var (
	StopNotHeld     = New("stop-not-held", "{node} does not hold {service}")
	StopNoRequest   = New("stop-no-request", "there is no longer a request to {operation} {service}")
	StopLeaveOver   = New("stop-leave-over", "{node} is no longer leaving")
	StopMovesLive   = New("stop-moves-live", "{node} leaves, and {target} can take {service} live")
	StopNeedsUp     = New("stop-needs-up", "what {service} depends on is up")
	StopIndependent = New("stop-independent", "{service} depends on nothing")
	StopNoHalt      = New("stop-no-halt", "the cluster is not being stopped")
)

// Why a service may not migrate.
var (
	MigrateWrongPlace = New("migrate-wrong-place",
		"{service} is {state}[ on {owner}], it cannot migrate from {node} to {target}")
	MigrateNotAlone = New("migrate-not-alone",
		"{service} is not known to run on {node} alone[ (it may be on {nodes})]")
	ServiceNotLive = New("service-not-live",
		"{service} is made of resources and cannot move live; relocate it")
)

// Why a running service takes no change in, and why its failed parts are not started again.
var (
	ReconfigureVM = New("reconfigure-vm",
		"{service} is a VM, which takes its definition in when it starts")
	ServiceNotHere    = New("service-not-here", "{service} does not run on {node}")
	ReconfigureUnsure = New("reconfigure-unsure",
		"it is not known that {service} runs on {node} and nowhere else")
	ReconfigureDone = New("reconfigure-done",
		"{service} was started from definition {definition} already")
	ConvalesceNothing = New("convalesce-nothing", "no part of {service} is down")
)

// Why a node has to be fenced for a service.
var (
	StopFailedFences  = New("stop-failed-fences", "{service} could not be stopped there, and its stop_failure is fence")
	StopFailedUnknown = New("stop-failed-unknown",
		"{service} could not be stopped there to recover it, and the hypervisor cannot tell whether it still runs")
)

// Why a node may run a service, or may not, by its failover domain.
var (
	PlacementAnyNode = New("placement-any-node", "any node may run it")
	DomainMember     = New("domain-member", "member of domain {domain}")
	DomainPriority   = New("domain-priority", "priority {priority} in domain {domain}")
	DomainUnranked   = New("domain-unranked", "member of domain {domain} without a priority")
	DomainOutside    = New("domain-outside", "outside domain {domain}, which allows it")
	DomainForbids    = New("domain-forbids", "not a member of restricted domain {domain}")
)

// Why a node comes after all others.
var (
	PlacementStartFailed = New("placement-start-failed", "{verdict}; a start failed here, so it comes last")
	PlacementLast        = New("placement-last", "{verdict}; {reason}, so it comes last")
	PlacementAvoided     = New("placement-avoided", "it is moved away from here")
)

// Why another node is better for a service that runs well.
var (
	FailbackIntoDomain = New("failback-into-domain",
		"{node} is a member of domain {domain} and {owner} is not")
	FailbackPriority = New("failback-priority",
		"{node} has priority {priority} in domain {domain}, {owner} has {rank}")
	FailbackUnranked = New("failback-unranked",
		"{node} has priority {priority} in domain {domain}, {owner} has none")
)

// What keeps a node from being given work, as it is shown of that node.
var (
	PlacementFencing    = New("placement-fencing", "being fenced")
	PlacementNodeState  = New("placement-node-state", "{state}")
	PlacementWitness    = New("placement-witness", "a witness runs no services")
	PlacementFailedHere = New("placement-failed-here", "a start failed here: {reason}")
)

// What the leader has not heard of a node that is online by the log.
var (
	NodeDaemonStarting = New("node-daemon-starting", "still starting its daemon")
	NodeNotHeardYet    = New("node-not-heard-yet", "not yet heard by the leader, {leader}")
	// NodeNotHeardSince: what was measured of the node is from before the leader was paused.
	NodeNotHeardSince = New("node-not-heard-since", "not yet heard since the leader, {leader}, was paused")
	NodeNotHeardNow   = New("node-not-heard-now", "not heard by the leader, {leader}, at present")
	NodeLogStill      = New("node-log-still",
		"heard by the leader, {leader}, but is not accepting log entries")
)
