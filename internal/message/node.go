package message

// What a node is told when its daemon starts and asks to be admitted.
var (
	NodeUnknown   = New("node-unknown", "there is no node {node}")
	NodeNotJoined = New("node-not-joined", "there is no node {node} in the cluster; join it with a token")
	NodeKeyWrong  = New("node-key-wrong",
		"the key of {node} is not the one it joined with; use `clusterd node replace {node}` if the machine was reinstalled")
	NodeUpOutdated = New("node-up-outdated",
		"incarnation {incarnation} of {node} has begun since this one was announced")
	AdmitWhileFenced = New("admit-while-fenced",
		"{node} is being fenced (index {index}); it is admitted when that is over")
	BootCutOff = New("boot-cut-off", "boot {boot} of {node} was cut off from its storage; "+
		"only a new boot of the machine is admitted, so restart the host")
	BootConfirmedOff = New("boot-confirmed-off",
		"boot {boot} of {node} was confirmed off; only a new boot of the machine is admitted")
	ClusterdTooOld = New("clusterd-too-old", "clusterd {version} on {node} knows cluster version {known}, "+
		"and version {required} is in force; install a newer clusterd there")
	InventoryOutdated = New("inventory-outdated", "the inventory of {node} is from an older incarnation")
	InventoryTooLong  = New("inventory-too-long", "the inventory of {node} lists {found} VMs, the limit is {limit}")
)

// A node comes into work.
var (
	NodeStarted = New("node-started", "its daemon started and checks what runs here[; {loop}]")
	NodeBooted  = New("node-booted", "the machine rebooted; its daemon checks what runs here[; {loop}]")
	// NodeRestartLoop: its daemon restarts again and again, which is reported at each doubling.
	NodeRestartLoop = New("node-restart-loop", "{restarts}, and the next start that is reported is number {next}")
	NodeRestarted   = New("node-restarted", "the daemon of {node} restarted")
	NodeAdmitted    = New("node-admitted", "looked and found {found#VM}")
	// HolderNotInInventory: nobody knows, so the node is asked.
	HolderNotInInventory = New("holder-not-in-inventory", "the inventory does not list it")
	// NodeShowsNewBoot and BootReplaced: what ran on the old boot is over.
	NodeShowsNewBoot = New("node-shows-new-boot", "the machine shows a new boot")
	BootReplaced     = New("boot-replaced", "the machine rebooted")
	FenceEndedByBoot = New("fence-ended-by-boot",
		"the machine shows a new boot: the fence intent for its old boot is closed")
	// ServiceProvenGone: a service that was removed from the document has no holder left.
	ServiceProvenGone = New("service-proven-gone", "removed and proven to run nowhere: its disks are free")
)

// A node goes on purpose.
var (
	LeaveNotOnline = New("leave-not-online", "{node} is not online")
	LeaveUnderWay  = New("leave-under-way", "{node} is leaving already; `clustat` shows what it waits for")
	LeaveOver      = New("leave-over",
		"{node} has left already and holds nothing; restart clusterd there to bring it back")
	LeaveNotBegun    = New("leave-not-begun", "{node} is not leaving")
	NodeMayRun       = New("node-may-run", "{node} may still be running {service}")
	NodeLeaving      = New("node-leaving", "hands its services over before it goes")
	NodeLeft         = New("node-left", "left; it holds nothing")
	ClusterdStopped  = New("clusterd-stopped", "clusterd was stopped there on purpose; it has {grace} to come back")
	StoppingOutdated = New("stopping-outdated", "the announcement is from an older incarnation of {node}")
)

// A node gets out of touch, or in touch again.
var (
	ContactOutdated     = New("contact-outdated", "this change of contact is about an older incarnation of {node}")
	ContactKnown        = New("contact-known", "{node} is {state} already")
	ContactNotLost      = New("contact-not-lost", "{node} is {state}, not out of touch")
	ContactWhileFenced  = New("contact-while-fenced", "{node} is being fenced; a committed fence intent is not spared")
	ContactStateUnknown = New("contact-state-unknown", "{state} is no change of contact")
)

// Where a node is reached.
var (
	AddressEmpty   = New("address-empty", "the address of {node} is empty")
	AddressOfOther = New("address-of-other",
		"{address} is the address of {other}; change that first, or give {node} another one")
	AddressNodeInTouch = New("address-node-in-touch", "{node} is in touch at {address}; "+
		"write the new address into its node.yaml and restart clusterd there: it tells the others by itself")
	AddressChanged  = New("address-changed", "its address is {address} now, and was {former}")
	AddressFollowed = New("address-followed",
		"it asks from {address}, and its address was {former}: the others look for it at the new one")
)
