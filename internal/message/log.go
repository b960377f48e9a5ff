package message

// Nodes that are heard and do not follow the log.
var (
	NodeDeaf = New("node-deaf",
		"{node} is heard and has taken no entry of the log for {duration}, its newest is {entry}")
	// NodeDeafTooLong: it is treated like a node that is lost.
	NodeDeafTooLong = New("node-deaf-too-long",
		"{node} is heard and has taken no entry of the log for {duration}, as long as a daemon may be silent")
	NodeDeafBefore = New("node-deaf-before", "{node} did not follow the log")
	NodeDeafNoMore = New("node-deaf-no-more", "{node} is heard and did not follow the log")

	DeafNotMeasured = New("deaf-not-measured",
		"it did not follow the log under the last leader, and this one has not measured it yet")
	DeafFollows = New("deaf-follows",
		"it follows the log again, and is given work when it has done so for {duration}")
	DeafUntilFenced = New("deaf-until-fenced",
		"deaf: its heartbeats come and it has taken no entry of the log for {duration}; it is given no work, and "+
			"unless it follows in {rest}, {node} is fenced and what runs there starts elsewhere")
	DoCheckDeafNode = New("do-check-deaf-node",
		"on {node}: `journalctl -u clusterd`; is the cluster's TCP port open, do large packets pass (MTU), "+
			"can the data folder be written?")
)

// Logs that lack what their node acknowledged, and what follows from that.
var (
	LogGone     = New("log-gone", "its log is gone: it held entries up to {entry}")
	LogReplaced = New("log-replaced", "its log is not the one that it acknowledged entries in, up to {entry}")
	LogCut      = New("log-cut",
		"its log ends at entry {end} and was known to hold entry {entry}: it was cut, or an older copy of it was put back")
	// LogRememberedBy: another node knows of more than the log holds.
	LogRememberedBy  = New("log-remembered-by", "{reason} ({node} remembers it)")
	LogVoteForgotten = New("log-vote-forgotten",
		"its log knows nothing of the vote in term {term}: an older copy of it was put back")
	LogIncomplete = New("log-incomplete", "{node} has lost its log and does not hold all of it again yet")
	LogNotItsOwn  = New("log-not-its-own",
		"the log that {node} holds is not the one in which it acknowledged entries; its daemon sets "+
			"it aside by itself and gets the cluster's, or use `clusterd node replace {node}`")
	// LogBegunWithout: the node was expelled, and its log is that of an older generation.
	LogBegunWithout = New("log-begun-without",
		"generation {generation} of the cluster began without {node}; it is admitted when it has set its old log "+
			"aside, which its daemon does by itself")
)

// Entries of the log that cannot be applied.
var (
	EntrySteppedOver = New("entry-stepped-over",
		"log entry {entry} ({commands}) cannot be applied and was stepped over: what it asked for was not done")
	EntryTooLong     = New("entry-too-long", "the entry has {commands#command}, {limit} at most")
	EntryBreaksRules = New("entry-breaks-rules", "it breaks the rules that apply it: {problem}[ (at {place})]")
)

// The two-node rule, and the warrant of it.
var (
	TwoNodeUndeclared   = New("two-node-undeclared", "the document has no two_node")
	TwoNodeMembers      = New("two-node-members", "the cluster has {members#member}, and the rule is for two")
	TwoNodeWitness      = New("two-node-witness", "{node} is a witness, its vote decides")
	TwoNodeWithoutPower = New("two-node-without-power", "{node} has no fence level that cuts its power")

	WarrantNotAdmitted  = New("warrant-not-admitted", "{node} is not admitted with this boot")
	WarrantOneVotes     = New("warrant-one-votes", "one of the two nodes has no vote yet")
	WarrantPeerOutdated = New("warrant-peer-outdated", "{peer} is not known to have the present document")
)

// What a node that is left alone of two waits for, and why it goes on.
var (
	AloneSinceBoot = New("alone-since-boot",
		"{node} has not been in quorum with {peer} since it booted, so it waits for it; if {peer} is gone for good, "+
			"stop clusterd and use `clusterd recover`")
	AloneWithOldDocument = New("alone-with-old-document",
		"the two nodes had not agreed about the present document yet, so {node} waits for {peer}; "+
			"if {peer} is gone for good, stop clusterd and use `clusterd recover`")
	AlonePeerHeard = New("alone-peer-heard", "{peer} is heard; there is no quorum with it yet")
	AloneTurnWaits = New("alone-turn-waits",
		"{peer} is silent and may be alive behind a broken link: {node} shoots in {duration}, so that the two "+
			"never shoot at the same time")
	AloneTurnsOver = New("alone-turns-over",
		"{peer} could not be confirmed off for hours; make sure that it is off, then use `clusterd recover`")
	AloneTriesAgain = New("alone-tries-again", "{peer} was not confirmed off; it is tried again")

	AlonePeerBack = New("alone-peer-back",
		"{peer} is heard again, and nothing came of the attempts to fence it")
	AlonePeerBackWaits = New("alone-peer-back-waits",
		"{peer} is heard again after it was decided to go on without it; what was sent to its devices "+
			"gets time to arrive first")
	AloneBooted      = New("alone-booted", "{node} has booted since it decided to go on alone")
	AloneBootedWaits = New("alone-booted-waits",
		"{node} has booted since it decided to go on alone; what it sent to the devices gets time to "+
			"arrive before the two are in quorum again")
)

// What a machine says of itself when it joins or comes up, and why it is not let in.
var (
	JoinNameUnfit = New("join-name-unfit",
		"{name} is no name for a node; use up to {limit#letter}, digits, dots, hyphens and underscores, "+
			"the first a letter or digit")
	JoinFingerprintUnfit = New("join-fingerprint-unfit", "{fingerprint} is no fingerprint of a key")
	JoinUUIDUnfit        = New("join-uuid-unfit",
		"{uuid} is no hardware UUID; write one in the file that hardware_uuid_file names on {node}")
	JoinedAlready = New("joined-already", "this machine is a member already, as {node}")
	JoinKeyBarred = New("join-key-barred",
		"this machine's key was removed from the cluster as {node}; delete its data folder to join with a new key")
	JoinNameTaken = New("join-name-taken",
		"a node named {node} is already a member; use another name, or `clusterd node replace {node}` if "+
			"its machine is to be replaced")
	JoinUUIDTaken = New("join-uuid-taken",
		"{node} has the hardware UUID {uuid}, and so has {other}: a BMC that tells it could belong to either, "+
			"and the wrong machine would be taken for off; correct the UUID in the firmware of one of them, or write one "+
			"of its own in the file that hardware_uuid_file names in node.yaml of {node} and set option identity of its BMC")
	JoinAddressTaken = New("join-address-taken",
		"{node} has the address {address}, and so has {other}; correct address in node.yaml of {node}")

	AddressUnfit = New("address-unfit",
		"{address} is no address for {node}; give the host and port under which the others reach it")
	AddressTaken = New("address-taken",
		"{node} asks for the address {address}, which is that of {other}; correct address in node.yaml of {node}")

	ReplaceHolds = New("replace-holds",
		"{node} may still hold {service}; fence it or ask it first, then replace it")
	ReplaceWhileFenced = New("replace-while-fenced", "{node} is being fenced; wait for the result, then replace it")
)

// Identity keys of members, and how they are replaced.
var (
	KeyOrderOver           = New("key-order-over", "that order to make a new key is over")
	KeyToldOther           = New("key-told-other", "{node} has told another new key")
	KeyNotTold             = New("key-not-told", "{node} has not told that key")
	KeyFingerprintMismatch = New("key-fingerprint-mismatch",
		"the public key of {node} is not the one its fingerprint stands for")

	KeyBarred   = New("key-barred", "that key was barred as one of {owner}")
	KeyOfClient = New("key-of-client", "that key is one of client {user}")
	KeyOfNode   = New("key-of-node", "that key is one of {node}")
	// KeysBarredFull: keys are barred for good, so that none is welcome again.
	KeysBarredFull = New("keys-barred-full",
		"{keys#key} are barred for good, which is the limit; nothing more can be removed before the authority "+
			"is replaced")

	KeyCarriesMove = New("key-carries-move",
		"{service} is migrating from {node} to {target}, with the key that {owner} has now")
	KeyAboutToTurn = New("key-about-to-turn",
		"{node} is about to use a new identity key, which would cut a live migration from or to it; "+
			"the move can begin when `clusterd keys status` shows the new key; or relocate the service")

	KeyWaitsToBeMade = New("key-waits-to-be-made",
		"the order to give {node} a new identity key dates from {time}; it waits until {node} has made it")
	KeyWaitsToBeUsed = New("key-waits-to-be-used",
		"the order to give {node} a new identity key dates from {time}; it waits until {node} uses its new key[: {reason}]")
)

// The data key, and what is sealed with it.
var (
	DataKeyOutdated  = New("data-key-outdated", "data key {epoch} is in force by now, not {other}; try again")
	DataKeyMissing   = New("data-key-missing", "{node} would not have the data key")
	DataKeyForMember = New("data-key-for-member", "{node} is a member now")
	DataKeySecretNew = New("data-key-secret-new",
		"a sealed secret came in meanwhile, and could no longer be opened; try again")
	DataKeySecretGone = New("data-key-secret-gone", "it seals secrets that the cluster no longer holds; try again")

	SecretsOutdated = New("secrets-outdated",
		"its secrets were sealed with data key {epoch}, and {current} is in force meanwhile; repeat the change")
	SecretsTooMany = New("secrets-too-many",
		"it brings {secrets#secret} beside {kept} that are kept; {limit} is the most")
	SecretNotHeld = New("secret-not-held",
		"{secret} refers to a sealed secret that the cluster does not hold; write the secret itself")
	SecretNotSealed = New("secret-not-sealed", "{secret} is not sealed, and would stand in every node's log")

	SecretOfDevice    = New("secret-of-device", "the password of device {device}")
	SecretOfOption    = New("secret-of-option", "{option} of device {device}")
	SecretOfAlert     = New("secret-of-alert", "the secret of alert {alert}")
	SecretOfAlertURL  = New("secret-of-alert-url", "the secret_url of alert {alert}")
	SecretOfParameter = New("secret-of-parameter", "{parameter} of {resource} in {service}")
)

// The authority that takes the place of the present one.
var (
	AuthorityWaitsForBelief = New("authority-waits-for-belief",
		"the rotation of the authority began at {time}; it waits until {node} says that it believes the new one"+
			"[ (and {others} more)]")
	AuthorityWaitsForCertificate = New("authority-waits-for-certificate",
		"the rotation of the authority began at {time}; it waits until {node} has a certificate of the new one"+
			"[ (and {others} more)]")
)
