package message

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
	NodeNotHeardYet    = New("node-not-heard-yet", "not heard yet by {leader}, which leads")
	// NodeNotHeardSince: what was measured of the node is from before the leader was paused.
	NodeNotHeardSince = New("node-not-heard-since", "not heard yet since {leader}, which leads, stood still")
	NodeNotHeardNow   = New("node-not-heard-now", "not heard at present by {leader}, which leads")
	NodeLogStill      = New("node-log-still",
		"heard by {leader}, which leads, and takes nothing of the log at present")
)
