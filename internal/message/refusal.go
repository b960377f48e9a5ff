package message

// What a running service answers to a request: where it runs, or why that is only remembered.
var (
	ServiceRunsThere = New("service-runs-there", "{service} already runs on {node}")
	ServiceSeenAs    = New("service-seen-as", "{service} is {condition} on {node}[: {reason}]")
	ServiceNotSeen   = New("service-not-seen", "{service} is not seen on {node}[: {reason}]")
	OwnerFencing     = New("owner-fencing",
		"{service} ran on {node} when {node} was last heard; {node} is being fenced, and {service} is started "+
			"elsewhere after that")
	OwnerOutOfTouch = New("owner-out-of-touch",
		"{service} ran on {node} when {node} was last heard; {node} is {state}, and {service} is started elsewhere "+
			"once {node} is confirmed off")
)

// How a request ended whose act has left something to tell.
var (
	MoveArrivedAs     = New("move-arrived-as", "it moved live, and is {condition} on {node}[: {reason}]")
	MoveArrivedUnseen = New("move-arrived-unseen", "it moved live, and is not seen on {node}[: {reason}]")
	StopCopyLeft      = New("stop-copy-left", "it is gone from {node}, and it is {condition} on {other}[: {reason}]")
	StopCopyUnseen    = New("stop-copy-unseen", "it is gone from {node}, and it is not seen on {other}[: {reason}]")
	StopAsksOthers    = New("stop-asks-others", "it is gone from {node}; whether it is on {nodes} is being asked")
	EnabledElsewhere  = New("enabled-elsewhere",
		"it is enabled and runs on {owner} already, and not on {node}: move it with `clusvcadm -r {service} -m {node}`")
	RequestOvertaken = New("request-overtaken", "overtaken[: {by} asked to {operation} it]")
)

// Why a node that was named in a request is no target.
var (
	TargetOrdered  = New("target-ordered", "{node} is {order}; `clusterd node return {node}` ends that")
	TargetRestless = New("target-restless",
		"{node} is given no work now: {restarts}; `journalctl -u clusterd` there says why")
)

// Why a service is not relocated.
var (
	// RelocateLacks: a restart is refused by it too.
	RelocateLacks = New("relocate-lacks", "{reason}; it could not be started again")
	RelocateRules = New("relocate-rules",
		"rules between services leave no other node to {service} now; it is left where it is")
	RelocateNowhere = New("relocate-nowhere", "no other node may run {service} now; it is left where it is")
)

// Why a service is not migrated.
var (
	MigrateNoTarget   = New("migrate-no-target", "a migration needs a target node")
	MigrateUnclear    = New("migrate-unclear", "{service} may be on {nodes}; it migrates when that is clear")
	MigrateNotRunning = New("migrate-not-running", "{found}; only a running VM migrates")
)

// Why a VM may not come up on a node, as the libvirt hook says it.
var (
	HookNotAdmitted = New("hook-not-admitted",
		"clusterd on {node} is not admitted yet; what its log asks for was meant for the daemon before it")
	HookNotMember = New("hook-not-member", "{node} is not a member of the cluster")
	HookRunsHere  = New("hook-runs-here", "{service} is running here as far as the cluster knows; use clusvcadm")
	HookNotAsked  = New("hook-not-asked",
		"{service} is managed by clusterd and nothing asks for it on {node}; use `clusvcadm -e {service} -m {node}`")
	// HookRunsElsewhere: what brought it here was mostly `virsh migrate`.
	HookRunsElsewhere = New("hook-runs-elsewhere",
		"{service} is managed by clusterd and runs on {owner}; move it with `clusvcadm -M {service} -m {node}`")
	HookVMRemoved = New("hook-vm-removed",
		"this VM was removed from the cluster but may still be running elsewhere")
)

// Why a duty is dropped right before its effect, and why a boot gets no lease.
var (
	DutyOldDaemon  = New("duty-old-daemon", "this daemon is not the present incarnation of {node}")
	DutyOutdated   = New("duty-outdated", "the intent {act} is no longer in force")
	LeaseNoMember  = New("lease-no-member", "{node} is no member of the cluster")
	LeaseCondemned = New("lease-condemned", "boot {boot} of {node} is to end")
)

// What a log or a command of another version of clusterd is refused with.
var (
	LogUnknownCommand = New("log-unknown-command",
		"the log contains a command that this version of clusterd does not know; install the version the other nodes run")
	LogEntryTooLarge = New("log-entry-too-large", "an entry of {size#byte} is larger than the limit of {limit}")
	LogEntryUnpacks  = New("log-entry-unpacks", "it unpacks to more than {limit#byte}")
	VersionUnknown   = New("version-unknown",
		"cluster version {version} is not known here, this clusterd knows version {known}")
	VersionNeeded = New("version-needed",
		"this needs cluster version {version}, and version {current} is in force until every member runs a clusterd "+
			"that knows it; upgrade the nodes that `clusterd node list` shows with an older one")
	VersionTooNew = New("version-too-new",
		"cluster version {version} is in force, this clusterd knows version {known}; install the version of clusterd "+
			"that the other nodes run")
)

// RehearsalTooLarge says what is left out; the document is taken all the same.
var RehearsalTooLarge = New("rehearsal-too-large",
	"what follows is not worked out beforehand for more than {limit#service}")
