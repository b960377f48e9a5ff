package message

// Why a service starts where it starts.
var (
	StartTakenUp     = New("start-taken-up", "what an interrupted start left there is taken up again")
	StartMovedHere   = New("start-moved-here", "moves here, {reason}")
	StartInPlace     = New("start-in-place", "restarted in place, {reason}")
	StartAskedFor    = New("start-asked-for", "asked for, {reason}")
	StartNowhere     = New("start-nowhere", "no node may run it[: {nodes}]")
	NodeRuledOut     = New("node-ruled-out", "{node} ({reason})")
	NextRuledOut     = New("next-ruled-out", "no other node may run it: {nodes}")
	NodeStartFailed  = New("node-start-failed", "a start failed here")
	CompanionAway    = New("companion-away", "{service}, which it runs together with, is on {node}")
	CompanionBarred  = New("companion-barred", "{service}, which runs together with it, may not run here")
	OtherNodeMissing = New("other-node-missing", "there is no other node")
)

// What a request does to a running service.
var (
	RequestStops       = New("request-stops", "stopping until the next change of a node[: {reason}]")
	RequestRestarts    = New("request-restarts", "stopping to restart it in place[: {reason}]")
	RequestRelocates   = New("request-relocates", "stopping to start it elsewhere[: {reason}]")
	RequestMigrates    = New("request-migrates", "moves live from {node} to {target}[: {reason}]")
	RequestConvalesces = New("request-convalesces", "starting what it goes on without[: {reason}]")
	RequestDisables    = New("request-disables", "stopping to disable it")
)

// How a request ends that needs no act.
var (
	RequestAlreadyUp    = New("request-already-up", "it runs on {node}")
	RequestStopsNothing = New("request-stops-nothing", "it runs nowhere; it stays stopped until the next change of a node")
	RequestMayStillRun  = New("request-may-still-run",
		"disabled, but it may still be running on {nodes}; it is not started again")
	RequestServiceDown = New("request-service-down", "the service is down[: {reason}]")
	RequestWaits       = New("request-waits", "not started yet: {reason}")
	RequestLeftover    = New("request-leftover", "it is {state} on {node}")
	RequestOwnerSilent = New("request-owner-silent",
		"{service} was on {node}, and {reason}; it starts elsewhere by itself once {node} is confirmed off")
)

// Why a service is stopped or cleaned up where it is.
var (
	StopForDependency   = New("stop-for-dependency", "stopping because {reason}")
	StopWithCluster     = New("stop-with-cluster", "stopping with the whole cluster")
	CleanupAfterCrash   = New("cleanup-after-crash", "removing what its crash left on {node}")
	CleanupAfterFailure = New("cleanup-after-failure", "removing what its failure left on {node}")
	CleanupAfterAct     = New("cleanup-after-act", "removing what an unfinished act left on {node}")
	CleanupLeftover     = New("cleanup-leftover", "removing what is left of it on {node}")
	LeaveDisabled       = New("leave-disabled", "{node} leaves and the service is disabled")
	DeclarationNew      = New("declaration-new", "its declaration changed")
)

// A node leaves.
var (
	LeaveLive     = New("leave-live", "moves live to {target} because {node} leaves")
	LeaveCold     = New("leave-cold", "moves to {target} because {node} leaves[: {bond}]")
	LeaveLiveSoon = New("leave-live-soon", "{node} leaves, and it moves live to {target} as soon as it can: {reason}")
	LeaveForNode  = New("leave-for-node",
		"{node} leaves, and only {target} could take it live: it waits until {target} is heard")
	LeaveNowhere  = New("leave-nowhere", "{node} leaves and no other node may run it now")
	LeaveNotReady = New("leave-not-ready", "{node} leaves, and it is {state} and cannot move live")
	LeaveBound    = New("leave-bound", "{node} leaves, no other node may run it now, and {bond}")
	LeaveFailed   = New("leave-failed", "{node} leaves and no other node takes it live: its moves to {nodes} failed")
	LeaveNotLive  = New("leave-not-live", "{node} leaves and no other node can take it live")
	LeaveNoRoom   = New("leave-no-room", "{node} leaves and no other node has room for it: {nodes}")
	BoundToHost   = New("bound-to-host", "it cannot move live while it has {bond}")
)

// A node is to be emptied by an order, and gets its services back after it.
var (
	OrderMoves          = New("order-moves", "moves to {target} because {node} is {order}")
	OrderDeadlinePassed = New("order-deadline-passed",
		"stopping to start it on {target}: the deadline to leave {node} live has passed")
	OrderStays  = New("order-stays", "stays on {node}, which is {order}: {reasons}")
	HomeIsBack  = New("home-is-back", "it was moved away from {node}, which takes services again")
	ReturnsHome = New("returns-home", "returns to {node}, which takes services again")
)

// What keeps a service on a node that is to be emptied.
var (
	ServiceFrozen  = New("service-frozen", "it is frozen")
	StaysForAct    = New("stays-for-act", "its {act} is under way")
	StaysForWish   = New("stays-for-wish", "a request to {request} it is open")
	StaysDisabled  = New("stays-disabled", "it runs although it is disabled")
	StaysFailed    = New("stays-failed", "it is failed")
	StaysUnwell    = New("stays-unwell", "it is {state}[: {reason}]")
	StaysAmbiguous = New("stays-ambiguous", "it may be on {nodes}, and moves once that is clear")
)

// Domains, failback and rules between services.
var (
	FailbackLive = New("failback-live", "fails back live: {reason}")
	FailbackCold = New("failback-cold", "fails back: {reason}")
	FailbackKept = New("failback-kept",
		"it stays on {node}: {target} suits it better and is kept for {service}, which starts there again")
	FailbackBarred = New("failback-barred", "it runs on {node}, and stays there although {better}: {target}: {reason}")
	FailbackHeld   = New("failback-held", "it runs on {node}, and stays there although {better}: {reason}")
	BanishedMoves  = New("banished-moves", "moves to {target}, because {node} is {reason}")
	BanishedStays  = New("banished-stays", "it runs on {node}, which is {reason}, and cannot move: {nodes}")
	FollowsOther   = New("follows-other", "follows {service} to {target}")
	AwayForNeed    = New("away-for-need",
		"it runs on {node}, away from {service} on {target}, which needs it and would be stopped for its move")
	AwayForTrouble = New("away-for-trouble", "it runs on {node}, away from {service} on {target}, because {reason}")
	AwayForRule    = New("away-for-rule",
		"it runs on {node}, away from {service} on {target}, because it may not run there: {reason}")
	RuleBroken   = New("rule-broken", "it runs on {node} against a rule: {reason}")
	MakesRoom    = New("makes-room", "makes room for {service}, which may run only on {node} now")
	StaysNotLive = New("stays-not-live", "it stays on {node}, although it {reason}: {bond}")
)

// How the rules between services stand, as --why lists them.
var (
	RuleExclusive = New("rule-exclusive", "exclusive: nothing else runs on its node")
	RuleDepends   = New("rule-depends", "depends on {service} ({mode}), which is {state}[ on {node}]")
	RuleTogether  = New("rule-together", "runs together with {service}, which is {state}[ on {node}]")
	RuleApart     = New("rule-apart", "is kept apart from {service}, which is {state}[ on {node}]")
	RuleKeepsOff  = New("rule-keeps-off",
		"keeps off the node of {service}, which is exclusive and {state}[ on {node}]")
	RuleRequired = New("rule-required", "is required by {service} ({mode}), which is {state}[ on {node}]")
	RuleOrder    = New("rule-order", "starts in tier {tier}, with priority {priority}")
)
