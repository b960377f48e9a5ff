package message

// What the leader makes of silence and of being heard again.
var (
	LeaderInTouch = New("leader-in-touch", "{node} leads the cluster, so it is in touch")
	LeaderFirst   = New("leader-first", "{node} leads the cluster")
	LeaderAgain   = New("leader-again", "{node} leads the cluster again, by another election")
	LeaderRemoved = New("leader-removed", "{node} leads the cluster; {before}, which led before, was removed")
	LeaderStopped = New("leader-stopped", "{node} leads the cluster; {before}, which led before, was stopped in order")
	LeaderSilent  = New("leader-silent",
		"{node} leads the cluster; {before}, which led before, has been silent for {silence}")
	LeaderHeard       = New("leader-heard", "{node} leads the cluster; {before}, which led before, is heard")
	LeadOutdated      = New("lead-outdated", "{node} told that it leads, and has restarted since")
	LeadToldBefore    = New("lead-told-before", "{node} told that it leads when {leader} had told so after it")
	LeadTooLong       = New("lead-too-long", "{node} told at too great length how it came to lead")
	NodeHeardAgain    = New("node-heard-again", "{node} is heard again")
	NodeFollowsAgain  = New("node-follows-again", "{node} follows the log again")
	StoppedNodeHeard  = New("stopped-node-heard", "clusterd announced that it stops there, and is still heard")
	CondemnedHeard    = New("condemned-heard", "heard again, but its fence intent is committed: it is fenced all the same")
	ServiceThenSilent = New("service-then-silent",
		"ran on {node} when it was last heard; {reason}. It is started elsewhere once {node} is confirmed off")
)

// Why a lost node is not fenced, or not yet.
var (
	KernelNotAsked = New("kernel-not-asked",
		"{node} is lost; this leader has not yet asked whether its kernel answers")
	NodeLostHoldsNothing = New("node-lost-holds-nothing", "{node} is lost and holds nothing: it is not fenced")
	MaintainedLost       = New("maintained-lost",
		"{node} is {order} and is not fenced: whether it still runs {services} is known when it is back")
	NodeLostUnfenceable = New("node-lost-unfenceable",
		"{node} is lost and has no fence device: {services} cannot be recovered until {node} is confirmed off")
	NodeLostDisarmed = New("node-lost-disarmed", "{node} is lost and not fenced: {reason}")
	NodeLostDelayed  = New("node-lost-delayed",
		"{node} is lost and is fenced after the delay of {delay} that its device has")
	NodeLostBraked   = New("node-lost-braked", "{node} is lost and not fenced yet: {reason}")
	NodeLostNoFencer = New("node-lost-no-fencer", "{node} is lost, and no node is ready to fence it")
	DisarmedShots    = New("disarmed-shots", "{reason}; nothing is shot")
	FenceForDrill    = New("fence-for-drill", "a drill")
	FenceAlsoMoves   = New("fence-also-moves", "{reason}; {services} there will start elsewhere too")
)

// How far a shot is.
var (
	FenceNoDevice = New("fence-no-device",
		"{node} has no fence device: its fencing waits until an administrator confirms that it is off")
	FenceNoAttempt = New("fence-no-attempt", "no further attempt to fence {node} is made: {reason}")
	FenceUnproven  = New("fence-unproven",
		"{node} cannot be confirmed off: {reason}; {attempts#attempt} so far, and another every {pause}")
	WatchdogWaited = New("watchdog-waited",
		"{fencer} waits {limit} until the lease and the watchdog of {node} have surely run out; "+
			"{passed} have passed by {leader}'s own stopwatch")
	CutOffNode = New("cut-off-node",
		"{node} is cut off from its storage and may still be running; only a new boot of it is admitted")
	CutOffKeeps = New("cut-off-keeps", "{node} keeps it although it is cut off: {reason}")
)

// What a failed stop does to its node.
var (
	StopThenFence = New("stop-then-fence", "{reason}; unless it is found within {limit}, {node} is fenced")
	StopNotFenced = New("stop-not-fenced", "{reason}; {node} is not fenced for it yet: {obstacle}")
	StopFenced    = New("stop-fenced", "{reason}; {node} is fenced for it")
	StopNoLevel   = New("stop-no-level", "no fence level of it is known to work")
	StopNoFencer  = New("stop-no-fencer", "no node is ready to fence it")
)

// How a drill goes and ends.
var (
	DrillNodeRemoved = New("drill-node-removed", "{node} was removed")
	DrillFenceClosed = New("drill-fence-closed", "the fence intent of {node} was closed by something other than the drill")
	DrillPassed      = New("drill-passed", "fence level {level} of {node} cuts its power, and it came back")
	DrillNodeNotBack = New("drill-node-not-back",
		"{node} is off and did not come back within {limit}; check its console, then `clusterd fence node {node} --on`")
	DrillNodeNotEmpty = New("drill-node-not-empty",
		"{node} still holds {services} after {limit}; it goes on leaving, "+
			"and comes back with `systemctl restart clusterd` on it")
	DrillNodeUnfit    = New("drill-node-unfit", "{node} is {state} now")
	DrillWaitsBoot    = New("drill-waits-boot", "the drill waits until {node} has booted")
	DrillWaitsEmpty   = New("drill-waits-empty", "the drill waits until the services of {node} have moved away")
	DrillWaitsFencing = New("drill-waits-fencing",
		"the drill waits: another node is being fenced, fencing is disarmed, or no node is ready to fence {node}")
)
