package message

// What daemons say that no entry of the log says for them.
var (
	LeaderUnasked = New("leader-unasked", "the leader could not be asked what it waits for")
	FenceAsked    = New("fence-asked", "asked by {by}[: {reason}]")
	PeersSaw      = New("peers-saw", "{peers}")
	PeerSaw       = New("peer-saw", "{peer}: kernel {kernel}, daemon {daemon}")
	StateDiffers  = New("state-differs",
		"the State of {node} at index {index} is not that of {others} (digests {own} and {other}): {node} applied what was "+
			"not agreed, and starts over with the log of the others")
	LogRefusedBy     = New("log-refused-by", "{reason} ({node} says so)")
	AloneTurnUnknown = New("alone-turn-unknown",
		"it is not known since when the two are apart, so not whose turn it is")
	ImportedRunning = New("imported-running", "{service} is managed now; its guest was not touched[. Warning: {warnings}]")
	ImportedOff     = New("imported-off",
		"{service} is managed now. It was shut off and stays so; start it with: clusvcadm -e "+
			"{service}[. Warning: {warnings}]")
)

// What stands in for measured reasons where a loss is rehearsed on paper.
var (
	RehearsedStart   = New("rehearsed-start", "put there for the rehearsal")
	RehearsedOff     = New("rehearsed-off", "it is off")
	RehearsedSilence = New("rehearsed-silence", "nobody reaches it")
	RehearsedAlone   = New("rehearsed-alone", "it is the other one of two nodes, and nobody else is left to ask")
)
