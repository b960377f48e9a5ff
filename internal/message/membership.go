package message

// Join tokens.
var (
	TokenMade           = New("token-made", "a join token for a machine was made, valid until {until}")
	TokenMadeForReplace = New("token-made-for-replace",
		"a join token for the machine that replaces {node} was made, valid until {until}")
	TokenLimit   = New("token-limit", "{limit} join tokens are open, the limit; wait for one to expire")
	TokenUnknown = New("token-unknown",
		"the join token is unknown or was used already; make a new one with `clusterd token`")
	TokenExpired  = New("token-expired", "the join token expired {time} ago; make a new one with `clusterd token`")
	TokenForOther = New("token-for-other", "the join token is for the machine that replaces {replaced}, not for {node}")
)

// A machine joins, or is removed.
var (
	NodeFounded     = New("node-founded", "founded the cluster; waiting for its daemon")
	NodeJoined      = New("node-joined", "joined with a token; waiting for its daemon")
	NodeRemoved     = New("node-removed", "removed from the cluster; its key is no longer accepted[: {reason}]")
	RemoveNodeInUse = New("remove-node-in-use", "{node} may be running {service}; "+
		"move its services away first (`clusterd node leave {node}`), or have it fenced")
	RemoveNodeFencing = New("remove-node-fencing", "{node} is being fenced; wait for the result")
)

// One of two nodes goes on alone, and the other one comes back.
var (
	NodeGoesOnAlone = New("node-goes-on-alone",
		"{node} goes on without {peer} by the two-node rule: generation {generation} begins ({reason})")
	NodeTookLogOver      = New("node-took-log-over", "its daemon starts again with the log that it took over")
	AloneWithoutRule     = New("alone-without-rule", "{node} does not go on alone: {reason}")
	AloneWrongNodes      = New("alone-wrong-nodes", "{node} and {peer} are not the two nodes of this cluster")
	AloneAlready         = New("alone-already", "generation {generation} began without {peer} already")
	AloneWrongGeneration = New("alone-wrong-generation", "generation {generation} does not follow {present}")
	AlonePeerNotOff      = New("alone-peer-not-off", "{peer} is not confirmed off: {outcome}")
	AlonePeerUpAgain     = New("alone-peer-up-again", "{peer} came up again after it was decided to go on without it")
	NodeReadmitted       = New("node-readmitted", "it has set the log of the old generation aside and gets this one")
	ReadmitNotExpelled   = New("readmit-not-expelled", "{node} is not expelled")
	ReadmitOutdated      = New("readmit-outdated",
		"{node} asks to come back into generation {generation}, this is {present}")
)

// A node loses its log, and gets it again.
var (
	NodeLogLost    = New("node-log-lost", "it has lost the log ({reason}); it has no vote until it holds all of it again")
	NodeLogBack    = New("node-log-back", "it holds the log again and may vote")
	LogWithoutName = New("log-without-name", "the log that {node} begins has no name")
	LogOfExpelled  = New("log-of-expelled",
		"generation {generation} of the cluster began without {node}; it gets the log when it is let in again")
	LogHeldAlready  = New("log-held-already", "{node} holds this log already")
	LogLossOutdated = New("log-loss-outdated", "{node} has begun another log since that was asked for")
)

// The data key: why a new one is due, and what bars it.
var (
	DataKeyInForce = New("data-key-in-force",
		"data key {epoch} is in force, and with it a new gossip key: {reason}")
	DataKeyAskedFor     = New("data-key-asked-for", "asked for")
	DataKeyNodeGone     = New("data-key-node-gone", "{node} has gone and knew the previous key")
	DataKeyNodeKeyNew   = New("data-key-node-key-new", "{node} has a new key, and its previous one opened the data key")
	DataKeyForNonMember = New("data-key-for-non-member",
		"{node} is no member of the cluster, and must not have its data key")
	DataKeyWithoutMember = New("data-key-without-member", "{node} is a member and would not have the data key")
)

// A node is given a new identity key.
var (
	NodeKeyOrdered = New("node-key-ordered", "a new identity key was ordered for it[: {reason}]")
	NodeKeyAnyway  = New("node-key-anyway",
		"its new identity key no longer waits for members that are away[: {reason}]")
	NodeKeyAborted = New("node-key-aborted", "the order to make a new identity key was taken back")
	NodeKeyChanged = New("node-key-changed", "it has a new identity key ({key}); the one before is barred for good")
	NodeKeyDue     = New("node-key-due",
		"the order to give {node} a new key dates from {time}; see `clusterd keys status`")
	NodeKeyNotDue    = New("node-key-not-due", "{node} is not being given a new key")
	NodeKeyNotOnline = New("node-key-not-online", "{node} is {state}, and only the node itself can make its new key; "+
		"bring it back, or, if its machine is lost or in others' hands, "+
		"`clusterd node replace {node}` or `clusterd node remove {node}`")
	NodeKeyUnrecorded = New("node-key-unrecorded",
		"the public key of {node} is not recorded; use `clusterd node replace {node}`")
	NodeKeyEstranges = New("node-key-estranges",
		"{members} could learn the new key of {node} from nobody: no other member in touch is known there by the key that "+
			"it has now; bring {member} back first, or `clusterd node remove {member}`")
	NodeKeyNodesAway = New("node-key-nodes-away", "{nodes} would not know the new key of {node}, "+
		"and alone with it could not go on; bring it back first, remove it, or say --anyway: "+
		"then it learns the key from a third member when it is back")
	NodeKeyInUse = New("node-key-in-use", "{node} uses its new key already, or is about to; "+
		"let it come to its end, and rotate again. "+
		"If that key is lost (`clustat` on {node} says so), use `clusterd node replace {node}`")
)

// The certificate authority is rotated.
var (
	AuthorityRotationBegan = New("authority-rotation-began",
		"a new authority is on its way: first every member has to believe both[: {reason}]")
	AuthorityNewSigns   = New("authority-new-signs", "all members believe the new authority; it signs from now on")
	AuthorityOldDropped = New("authority-old-dropped",
		"all members have certificates of the new authority; the old one is no longer believed")
	AuthorityNewGivenUp = New("authority-new-given-up", "the new authority was given up; the present one stays")
	AuthorityKeyMissing = New("authority-key-missing",
		"the authority's key is missing: no node could sign another certificate")
	AuthorityRotationChanged = New("authority-rotation-changed",
		"a rotation of the authority has begun or ended meanwhile; try again")
	AuthorityInRotation = New("authority-in-rotation",
		"a rotation of the authority began at {time} and is not over; see `clusterd keys status`")
	AuthorityNotInRotation = New("authority-not-in-rotation", "the authority is not being rotated")
	AuthorityNotNew        = New("authority-not-new", "that is not a new authority")
	AuthoritySignsAlready  = New("authority-signs-already",
		"the new authority signs already, and members have its certificates; let it come to its end, and rotate again")
	AuthorityRotationOver = New("authority-rotation-over", "that rotation of the authority is over")
	AuthorityDoesNotSign  = New("authority-does-not-sign",
		"the new authority does not sign yet: {node} does not believe it")
)

// Certificates of remote tools.
var (
	ClientCertified  = New("client-certified", "a certificate was made for {user} with role {role}")
	ClientsRevoked   = New("clients-revoked", "the certificates of {user} were revoked ({certificates})")
	ClientRevoked    = New("client-revoked", "a certificate of {user} was revoked, whose key begins with {key}")
	ClientKeyUnknown = New("client-key-unknown",
		"{user} has no valid certificate whose key begins with {key}; those of {user} begin with {keys}")
	ClientKeySeveral = New("client-key-several",
		"several certificates of {user} have a key that begins with {key}; tell more of it: {keys}")
	ClientIncomplete = New("client-incomplete",
		"a client's certificate needs a fingerprint, a user and a role, of at most {limit} characters each")
	ClientExpired     = New("client-expired", "the certificate of {user} has expired already")
	ClientKeyRemoved  = New("client-key-removed", "this key was removed from the cluster as {name}; make a new one")
	ClientLimit       = New("client-limit", "{clients} client certificates are valid, which is the limit; revoke some")
	ClientUncertified = New("client-uncertified", "{user} has no valid certificate")
)
