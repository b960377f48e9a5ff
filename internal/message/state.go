package message

// What a service that runs says of itself.
var (
	GuestRuns       = New("guest-runs", "the guest runs")
	ResourcesRun    = New("resources-run", "its resources run")
	ServiceRunsPart = New("service-runs-part", "it goes on in part[: {reason}]")
	ServicePlaced   = New("service-placed", "an administrator put {service} on {node}")
	// FreezeEnds: when a freeze ends by itself.
	FreezeEnds = New("freeze-ends", "until {time}")
	// StateLeftBehind: of a VM that came up on another node than the one on which it ran.
	StateLeftBehind = New("state-left-behind",
		"it runs on {owner} without what is in {places} on {node}, unless that is one and the same on both")
	StateWillStay = New("state-will-stay",
		"it is without what is in {places}, unless that is one and the same there")
)

// Why a running service goes on as it was declared before.
var (
	DeclarationNextStart = New("declaration-next-start",
		"its definition changed after it was started; the new one takes effect with the next start "+
			"(clusvcadm -R {service})")
	DeclarationDisabled = New("declaration-disabled",
		"it runs although it is disabled, so its changed declaration is not put in force (clusvcadm -e {service} keeps "+
			"it running and puts it in force)")
	DeclarationPending = New("declaration-pending", "its changed declaration is not in force yet")
)

// What a plan does with a service now.
var (
	NextAct         = New("next-act", "{intent} it on {node}[: {reason}]")
	NextMigrate     = New("next-migrate", "migrate it from {node} to {target}[: {reason}]")
	NextConvalesce  = New("next-convalesce", "start what is down of it on {node}[: {reason}]")
	NextReconfigure = New("next-reconfigure", "put its changed declaration in force on {node}[: {reason}]")
)

// What an act or a fall leaves on a node.
var (
	HolderUnproven  = New("holder-unproven", "the last act there proved nothing")
	DoDestroyHungVM = New("do-destroy-hung-vm",
		"`virsh destroy {vm}` on {node}, where nothing answers for it, or `clusvcadm -d {service}`, which ends it; "+
			"where virsh hangs as well, restart libvirtd there, which touches no VM")
	// WatchdogDidNotReset: a boot that was waited out is heard, so nothing is proven.
	WatchdogDidNotReset = New("watchdog-did-not-reset",
		"{node} is heard after {waited}, in which its watchdog should have reset it: the watchdog does not work")
)

// A service that runs twice.
var (
	TwicePaused          = New("twice-paused", "the copy that does not belong there is paused, nothing is destroyed")
	TwiceNotPaused       = New("twice-not-paused", "its resources cannot be paused, and nothing is stopped")
	DoStopWrongVM        = New("do-stop-wrong-vm", "stop the wrong copy with `virsh destroy` on its node")
	DoStopWrongResources = New("do-stop-wrong-resources",
		"stop the wrong copy's resources by hand on its node, and find out who started them")
)

// A VM that runs, or ran last, on other disks than it was started with.
var (
	AstrayRuns = New("astray-runs", "{service} runs on {disks}, and the next start would be without that")
	AstrayRan  = New("astray-ran",
		"it ran on {disks} when it was last seen on {node}: what it wrote last is not on its declared disks")
	AstrayHeld     = New("astray-held", "{reason}. NOT STARTED AGAIN BY ITSELF: {loss}")
	AstrayCameBack = New("astray-came-back",
		"[{reason}: ]it came back on its declared disks, without {disks}")
	DoCommitSnapshot = New("do-commit-snapshot",
		"end the snapshot on {node} (`virsh blockcommit {vm} DISK --active --pivot`), or give it up with --declared-disks")
	DoDeclareDisk = New("do-declare-disk",
		"declare the disk, or detach it on {node}, or give it up with --declared-disks")
	DoMergeOverlay = New("do-merge-overlay",
		"merge it (`qemu-img commit FILE`, while nothing runs on it), or give it up; then "+
			"`clusvcadm -e {service} --declared-disks`")
)

// Failures of a service that are remembered, and what is done about them.
var (
	LoopStarts = New("loop-starts", "started {starts#time} in the last {window}, last end: {reason}")
	DoEndLoop  = New("do-end-loop",
		"look at its console and its log on {node}; `clusvcadm -d {service}` ends the restarts")
	TroubleOfStart = New("trouble-of-start", "a start on {node} failed[: {reason}]")
	// TroubleOfGuest: the word for its reason would say the same again.
	TroubleOfGuest = New("trouble-of-guest", "it crashed on {node}")
	TroubleOfCrash = New("trouble-of-crash", "it failed on {node}[: {reason}]")
	TroubleOfMove  = New("trouble-of-move", "its move to {node} failed[: {reason}]")
	TroubleOfRoom  = New("trouble-of-room", "it left {node}[: {reason}]")
	TroubleRetried = New("trouble-retried",
		"{trouble}; the next try is at {time}, or after clusterd on {node} restarts")
)

// What an administrator ordered for a node.
var (
	OrderStandbyBegins = New("order-standby-begins",
		"on standby: it takes no services, those on it move away live where they can"+
			"[; after {time}, services that cannot move live are stopped and restarted elsewhere][: {reason}]")
	OrderDrainBegins = New("order-drain-begins",
		"is drained: it takes no services, those on it move away"+
			"[; after {time}, services that cannot move live are stopped and restarted elsewhere][: {reason}]")
	OrderMaintenanceBegins = New("order-maintenance-begins",
		"goes into maintenance: it takes no services, those on it move away, and once it holds nothing it is not fenced"+
			"[; after {time}, services that cannot move live are stopped and restarted elsewhere][: {reason}]")
	OrderStandby     = New("order-standby", "on standby[ by order of {by}][: {reason}]")
	OrderDrain       = New("order-drain", "being drained[ by order of {by}][: {reason}]")
	OrderMaintenance = New("order-maintenance", "in maintenance[ by order of {by}][: {reason}]")
)

// A node whose daemon, or all of it, is silent.
var (
	NodeSilentPeersAsked = New("node-silent-peers-asked",
		"{node} has been silent for {silence}; checking whether its peers can reach it")
	NodeSilentLink = New("node-silent-link",
		"{node} is not heard here but reached by its peers: alive behind a broken link, it is not fenced ({verdict})")
	NodeSilentUntested = New("node-silent-untested", "nobody could test whether {node} is alive ({verdict})")
	NodeSilentDaemon   = New("node-silent-daemon",
		"the kernel of {node} answers, its daemon has been silent for {silence} ({verdict})")
	NodeSilentDaemonGrace = New("node-silent-daemon-grace",
		"clusterd does not answer; unless it does in {left}, {node} is fenced and what runs there starts elsewhere")
	NodeSilentStopped = New("node-silent-stopped",
		"clusterd was stopped on {node} on purpose; its kernel answers ({verdict})")
	NodeSilentStoppedGrace = New("node-silent-stopped-grace",
		"clusterd was stopped on purpose; unless it is back in {left}, {node} is fenced and what runs there starts "+
			"elsewhere")
	NodeLost       = New("node-lost", "silent for {silence} to everybody ({verdict})")
	NodeLostDaemon = New("node-lost-daemon",
		"the daemon of {node} stayed silent for {grace} although its kernel answers ({verdict})")
	NodeLostStopped = New("node-lost-stopped",
		"clusterd was stopped on {node} on purpose and did not come back within {grace} ({verdict})")
	DoStartClusterd = New("do-start-clusterd", "systemctl start clusterd on {node}")
)

// What is wrong on a node that is heard.
var (
	DaemonRestarts = New("daemon-restarts",
		"its daemon has started {starts#time} in {span}, and none of them ran for {limit}")
	// NodeRestlessTooLong: it is treated like a node whose daemon is silent.
	NodeRestlessTooLong = New("node-restless-too-long",
		"{restarts}, and that for {grace}, as long as a daemon may be silent")
	VolumeFails = New("volume-fails",
		"its data volume cannot be written, so it takes no part in the log: {reason}")
	VolumeFills = New("volume-fills", "its data volume is running full: {reason}")
	DoMakeRoom  = New("do-make-room",
		"make room on {node}, or see its kernel log for what is wrong with the disk; its VMs run on")
	DoMendVolume = New("do-mend-volume",
		"make room on {node}, or see its kernel log for what is wrong with the disk; its VMs run on, and unless it "+
			"follows the log again it is fenced as a deaf node and they start elsewhere")
)
