package message

// The cluster is founded, and comes to a newer cluster version.
var (
	ClusterFounded        = New("cluster-founded", "the cluster was founded")
	ClusterFoundedAlready = New("cluster-founded-already", "the cluster {cluster} is already founded")
	ClusterVersionMissing = New("cluster-version-missing",
		"the cluster {cluster} cannot be founded without a cluster version")
	ClusterVersionRaised = New("cluster-version-raised",
		"all members know cluster version {version}; it is in force now")
	ClusterVersionNotNewer = New("cluster-version-not-newer", "cluster version {version} cannot follow version {present}")
	ClusterVersionUnknown  = New("cluster-version-unknown", "{node} knows only cluster version {version}")
)

// The cluster is recovered after its quorum was lost for good.
var (
	GenerationNotNewer = New("generation-not-newer", "generation {generation} is not newer than {present}")
	GenerationBegan    = New("generation-began", "a new generation began")
	ClusterRecovered   = New("cluster-recovered",
		"recovered from a lost quorum without {nodes}: generation {generation} begins")
	NodeDeclaredDead = New("node-declared-dead", "declared dead by the administrator who recovered the cluster")
	// NodeUpBeforeRecover: the word was about an older boot than the one that is up.
	NodeUpBeforeRecover = New("node-up-before-recover",
		"it is not taken for dead: its daemon came up after the administrator had said that it is off")
	// NewerRelease: the one command of a release that only tests know.
	NewerRelease        = New("newer-release", "{text}")
	FenceEndedByRecover = New("fence-ended-by-recover", "declared dead by {by}")
	BootDeclaredDead    = New("boot-declared-dead", "declared dead with its machine off")
)

// The cluster is restored from a backup.
var (
	BackupUnreadable     = New("backup-unreadable", "the backup cannot be read: {error}")
	BackupWithoutCluster = New("backup-without-cluster", "the backup is not one of a cluster")
	BackupOtherMachine   = New("backup-other-machine", "in the backup {node} is another machine (hardware UUID {uuid}); "+
		"restore on that machine, or give this one a name of its own")
	ClusterRestored = New("cluster-restored", "restored from a backup: generation {generation} begins; "+
		"what runs where is unknown until each node was asked or fenced")
	NodeUnseenSinceRestore    = New("node-unseen-since-restore", "not seen since the cluster was restored")
	ClusterWasRestored        = New("cluster-was-restored", "the cluster was restored from a backup")
	ServiceRestored           = New("service-restored", "restored from a backup")
	HolderUnaskedSinceRestore = New("holder-unasked-since-restore", "not asked since the cluster was restored")
)

// A document is put into force, or refused.
var (
	DocumentInForce  = New("document-in-force", "document version {version} is in force[: {reason}]")
	DocumentOutdated = New("document-outdated", "the document is at version {version}, "+
		"the change was made for version {base}; look at it again and repeat")
	DocumentOtherCluster = New("document-other-cluster", "the document is for cluster {other}, this is {cluster}")
	DocumentSameVM       = New("document-same-vm", "{service} and {other} are the same VM {uuid}")
	DocumentDiskInUse    = New("document-disk-in-use", "{service}: disk {disk} was started writable by {other}, "+
		"which may be running on {node}")
	DocumentNetworkInUse = New("document-network-in-use", "network {network} cannot be taken out: {services} may be "+
		"running with it on {nodes}; stop what uses it, or restart it without it, and repeat")
	DocumentNetworkFixed = New("document-network-fixed", "vlan, over and bridge of network {network} cannot change: "+
		"{services} may be running with it on {nodes}; stop what uses it, or restart it on another network, and repeat")
	DefinitionUnknown = New("definition-unknown", "{service}: the definition {definition} is not known to the cluster")
	ServiceUUIDInUse  = New("service-uuid-in-use",
		"{service}: its UUID cannot change while it may be running on {nodes}")
	ServiceNotDisabled = New("service-not-disabled",
		"{service} is {state}; disable it with `clusvcadm -d {service}` before it is removed")
	TombstoneLimit = New("tombstone-limit", "{services} removed services may still be running somewhere, the limit; "+
		"bring their nodes back or have them fenced first")
)

// A document has no use for two_node.
var (
	TwoNodeWithLease = New("two-node-with-lease", "{node} has a watchdog with a lease, "+
		"and of two nodes that have lost each other neither gets one: both would be reset; "+
		"take two_node or the watchdog out of the document")
	TwoNodeWithWitness = New("two-node-with-witness", "two_node is for two nodes without a witness; "+
		"{node} is one, its vote decides: take two_node out of the document")
	TwoNodeTooMany = New("two-node-too-many", "two_node is for two nodes, this cluster has {nodes}: "+
		"with three votes the majority decides; take two_node out of the document")
)

// Services come with a document, and go with it.
var (
	ServiceDeclared    = New("service-declared", "declared; every node is asked whether it runs there")
	HolderNotLookedFor = New("holder-not-looked-for", "declared, not yet looked for")
	ServiceRemoved     = New("service-removed",
		"removed from the document[; it may still be running on {nodes}, so its disks stay reserved]")
)
