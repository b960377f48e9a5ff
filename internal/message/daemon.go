package message

// What daemons say that no entry of the log says for them.
var (
	LeaderUnasked = New("leader-unasked", "the leader could not be asked what it waits for")
	FenceAsked    = New("fence-asked", "asked by {by}[: {reason}]")
	PeersSaw      = New("peers-saw", "{peers}")
	PeerSaw       = New("peer-saw", "{peer}: kernel {kernel}, daemon {daemon}")
	NodeAlone     = New("node-alone", "{node} is gone, and this node goes on without it: {reason}")
)

// What stands in for measured reasons where a loss is rehearsed on paper.
var (
	RehearsedStart   = New("rehearsed-start", "put there for the rehearsal")
	RehearsedOff     = New("rehearsed-off", "it is off")
	RehearsedSilence = New("rehearsed-silence", "nobody reaches it")
	RehearsedAlone   = New("rehearsed-alone", "it is the other one of two nodes, and nobody else is left to ask")
)
