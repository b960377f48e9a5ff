package message

// What a person asked for.
var (
	RequestAsked       = New("request-asked", "asked to {operation}[ to {node}][: {reason}]")
	RequestAskedStart  = New("request-asked-start", "asked to start on {node}[: {reason}]")
	RequestAskedFreeze = New("request-asked-freeze", "asked to freeze it {end}[: {reason}]")
	FreezeOver         = New("freeze-over", "the time of the freeze[ by {by}] is over")
)

// How a request ended that was not done as asked.
var (
	RequestNotLive            = New("request-not-live", "it could not move live: {reason}")
	RequestElsewhere          = New("request-elsewhere", "it runs on {node}, and not on {target}: {reason}")
	RequestRestartedElsewhere = New("request-restarted-elsewhere",
		"it runs on {node} now, and not on {before}: {reason}")
	RequestTakenByNone   = New("request-taken-by-none", "it is back on {node}; no other node could start it: {nodes}")
	RequestNoOtherNode   = New("request-no-other-node", "it is back on {node}; there is no other node")
	RequestStartedBefore = New("request-started-before", "it was started elsewhere first")
	// RequestDoneUnwatched: it came up, and its daemon was stopped after that.
	RequestDoneUnwatched = New("request-done-unwatched",
		"it runs on {node}, where clusterd has since been stopped on purpose[: {lack}]")
)

// Why a request is refused.
var (
	RequestIDMissing        = New("request-id-missing", "a request needs an id, so that it is never done twice")
	RequestLimit            = New("request-limit", "{limit} requests are being worked on, the limit; try again later")
	RequestOperationUnknown = New("request-operation-unknown", "\"{operation}\" is not an operation")
	ServiceUndeclared       = New("service-undeclared", "there is no service {service} in the cluster document")
	RequestServiceFrozen    = New("request-service-frozen",
		"{service} is frozen; unfreeze it with `clusvcadm -U {service}`")
	RequestServiceFailed = New("request-service-failed", "{service} is failed ({reason}); disable it first")
	ServiceInState       = New("service-in-state", "{service} is {state}")
	ServiceNotStarted    = New("service-not-started", "{service} is {state}, not started")
	// RequestUnderWay: another one has to end first.
	RequestUnderWay = New("request-under-way",
		"a request[ by {by}] to {operation} {service} is under way; try again when it is over")
	RequestLocked      = New("request-locked", "{reason}; {remedy} ends that")
	RequestNodeOrdered = New("request-node-ordered", "{node} is {order}, so it could not be started there again; "+
		"move it, or `clusterd node return {node}`")
	// RequestWouldLose: the next start would be without what the guest wrote or has.
	RequestWouldLose      = New("request-would-lose", "{reason}; {remedy}")
	RequestDependencyDown = New("request-dependency-down",
		"{service} depends on {needed}, which is {state}; enable that one first")
	RequestFreezeLimit = New("request-freeze-limit", "a freeze ends after 0s to {limit}, not after {duration}")
	RequestMoveFixed   = New("request-move-fixed",
		"mode, auto_converge and compression cannot be changed while {service} moves")
	RequestNoLimits = New("request-no-limits",
		"nothing is set of {service}'s migration; bandwidth and downtime can be")
	RequestLimitsUnasked = New("request-limits-unasked", "limits of a migration go with a request to migrate {service}")
	RequestLimitsBad     = New("request-limits-bad", "the limits of the migration are out of bounds: {reason}")
	RequestNoMigration   = New("request-no-migration", "{service} is not being migrated")
	RequestMigrationOver = New("request-migration-over",
		"the migration of {service} has ended already; both of its ends are being checked")
)

// Why the leader's end of a request or of a freeze is refused.
var (
	RequestClosed      = New("request-closed", "the request {request} is not open")
	RequestUnfulfilled = New("request-unfulfilled", "the request {request} is no longer fulfilled")
	ThawOutdated       = New("thaw-outdated", "{service} is not frozen until then")
	ThawEarly          = New("thaw-early", "{service} is frozen {end}")
)

// Orders for a node.
var (
	// OrderGiven begins with what the order means.
	OrderOver = New("order-over", "its {order} is over: it takes services again, "+
		"and those that were moved away for it come back[: {reason}]")
	// OrderOverAway: of a node that is not there to take services.
	OrderOverAway = New("order-over-away", "its {order} is over: it takes services again once it is online, "+
		"and those that were moved away for it come back then[: {reason}]")
	// OrderOverLocked: nothing may be started, on whatever node.
	OrderOverLocked = New("order-over-locked", "its {order} is over: it takes services again once the cluster lets "+
		"services start, and those that were moved away for it come back then[: {reason}]")
	OrderOverHung = New("order-over-hung", "its {order} is over: it takes VMs again once its hypervisor answers, "+
		"and those that were moved away for it come back then[: {reason}]")
	OrderEmpty            = New("order-empty", "it no longer holds anything")
	OrderMaintenanceReady = New("order-maintenance-ready",
		"it no longer holds anything: it may be restarted or switched off, and is not fenced for it")
	OrderUnknown  = New("order-unknown", "\"{order}\" is not an order; there are {orders}")
	OrderDeadline = New("order-deadline", "a deadline lies between now and {limit} from now, not {deadline}")
	OrderOutdated = New("order-outdated", "{node} is under no such order")
)

// The cluster as a whole.
var (
	ClusterLocked = New("cluster-locked",
		"locked: no service is started until it is unlocked; stops and live migrations work[: {reason}]")
	ClusterUnlocked = New("cluster-unlocked", "unlocked: services may start again[: {reason}]")
	ClusterStopped  = New("cluster-stopped", "the whole cluster is stopped: all services in the reverse order of "+
		"their start; what is enabled starts again with the cluster[: {reason}]")
	ClusterStarted = New("cluster-started", "the cluster is started again: services start in order[: {reason}]")
	UnlockStopped  = New("unlock-stopped",
		"the whole cluster was stopped[ by {by}]; `clusterd cluster start` starts it again")
	ClusterNotFounded = New("cluster-not-founded", "the cluster is not founded yet")
)

// Alerts.
var (
	AlertWorks       = New("alert-works", "it works again; {events#event} not delivered since {time}")
	AlertMissed      = New("alert-missed", "{events#event} not delivered: {reason}")
	AlertUnknown     = New("alert-unknown", "there is no alert {alert}")
	AlertToldAlready = New("alert-told-already", "alert {alert} was told that already")
)
