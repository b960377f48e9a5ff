package rgconf

import (
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

const (
	unneeded   = importing.Unneeded
	changes    = importing.Changes
	cannot     = importing.Cannot
	translated = importing.Translated
)

// Totem tokens, in milliseconds, beyond which somebody had told the cluster to
// be more patient, or less, than cman's 10 s.
const (
	patientToken = 15_000
	hastyToken   = 2_500
)

var cmanTable = []known{
	{[]string{"quorum_dev_poll", "quorumdev"}, unneeded, "there is no quorum disk to poll"},
	{[]string{"port"}, unneeded, "clusterd has ports of its own: 7440 to 7443, in /etc/clusterd/node.yaml"},
	{[]string{"cluster_id", "hash_cluster_id"}, unneeded,
		"a cluster is told from others by its own certificate authority"},
	{[]string{"keyfile"}, unneeded,
		"every link is mutually authenticated TLS, whose keys `clusterd init` and `clusterd join` make"},
	{[]string{"transport", "broadcast"}, unneeded, "nodes talk to each other directly, by TCP and UDP unicast"},
	{[]string{"upgrading", "disallowed"}, unneeded,
		"nodes of different versions work together; there is no switch for it"},
	{[]string{"nodename"}, unneeded, "a node's name is in its own /etc/clusterd/node.yaml"},
	{[]string{"shutdown_timeout", "ccsd_poll", "disable_openais"}, unneeded, "there is no cman to tune"},
	{[]string{"debug"}, unneeded, "see log_level in /etc/clusterd/node.yaml"},
}

// membership translates cman, totem and quorumd.
func (t *translation) membership() {
	for _, cman := range t.top.All("cman") {
		t.cman(cman)
	}
	for _, totem := range t.top.All("totem") {
		t.totem(totem)
	}
	for _, disk := range t.top.All("quorumd") {
		t.quorumDisk(disk)
	}
}

func (t *translation) cman(cman *importing.Element) {
	t.Container(cman)
	t.tell(cman, cmanTable)
	for _, e := range append(cman.All("multicast"), cman.All("altmulticast")...) {
		t.SayWhole(unneeded, e, "multicast is not used")
	}
	if two, _ := importing.Truth(cman.Get("two_node")); two {
		return // told when the nodes are known
	}
	t.Tell(unneeded, cman, []string{"two_node"}, "not set")
	t.Tell(unneeded, cman, []string{"expected_votes"},
		"voters are counted by the cluster itself: up to five nodes have one vote each, and more than half decide")
}

// twoNodes translates two_node, once nodes and fence devices are known.
func (t *translation) twoNodes() {
	for _, cman := range t.top.All("cman") {
		if two, _ := importing.Truth(cman.Get("two_node")); !two {
			continue
		}
		favour, wait := "", time.Duration(0)
		for _, node := range t.draft.Nodes.Keys() {
			if t.waits[node] > wait {
				favour, wait = node, t.waits[node]
			}
		}
		if t.draft.GoOnAlone(favour, wait) {
			t.Say(changes, cman, []string{"two_node", "expected_votes"},
				"two_node: %s. Each of the two had quorum alone, and the faster shot the other. Here both vote, and one goes "+
					"on alone only after the other is confirmed off",
				t.draft.TwoNode.Words())
			t.Advise("Take two_node out again if you add a witness, which is better: a small machine with clusterd and " +
				"`witness: true` in its /etc/clusterd/node.yaml.")
			continue
		}
		t.Say(cannot, cman, []string{"two_node", "expected_votes"},
			"two_node needs exactly two nodes, each with a fence device. Without it one of them votes, and its loss "+
				"stops the cluster")
		t.Advise("Give both nodes a fence device and write two_node, or add a witness: a small machine with clusterd " +
			"and `witness: true` in its /etc/clusterd/node.yaml.")
	}
}

var totemTable = []known{
	{[]string{"consensus", "join", "send_join", "token_retransmit", "token_retransmits_before_loss_const", "hold",
		"merge", "downcheck",
		"fail_recv_const", "seqno_unchanged_const", "heartbeat_failures_allowed", "max_network_delay", "window_size",
		"max_messages", "miss_count_const"},
		unneeded, "there is no token ring to tune; a profile (timing) sets all waits together"},
	{[]string{"secauth", "keyfile", "key", "crypto_type", "crypto_accept"}, unneeded,
		"every link is authenticated and encrypted, always"},
	{[]string{"netmtu", "threads", "vsftype", "version", "nodeid", "clear_node_high_bit", "rrp_problem_count_timeout",
		"rrp_problem_count_threshold",
		"rrp_token_expired_timeout", "rrp_autorecovery_check_timeout", "transport"}, unneeded,
		"there is no token ring to tune"},
}

func (t *translation) totem(totem *importing.Element) {
	t.Container(totem)
	if totem.Has("token") {
		t.token(totem)
	}
	if mode := totem.Get("rrp_mode"); mode != "" && mode != "none" {
		t.Say(cannot, totem, []string{"rrp_mode"},
			"redundant rings are not supported: heartbeats take one network so far. Bond the interfaces, so that one broken "+
				"link is no loss of a node")
	}
	t.Tell(unneeded, totem, []string{"rrp_mode"}, "one ring")
	t.tell(totem, totemTable)
	for _, e := range totem.All("interface") {
		t.SayWhole(unneeded, e, "nodes find each other by the addresses in each node's own /etc/clusterd/node.yaml, "+
			"without multicast")
	}
}

func (t *translation) token(totem *importing.Element) {
	token, err := strconv.Atoi(totem.Get("token"))
	profile, lost := "normal", "about one second"
	switch {
	case err != nil || token <= 0:
		t.Say(cannot, totem, []string{"token"}, "this is not a number of milliseconds; timing stays normal")
		return
	case token >= patientToken:
		profile, lost = "relaxed", "two seconds"
	case token <= hastyToken:
		profile, lost = "fast", "half a second"
	}
	t.draft.Timing = profile
	t.Say(changes, totem, []string{"token"},
		"timing: %s. A node was given up after %s of silence; here after %s, and only when its peers cannot reach its "+
			"kernel either. If the kernel answers and the daemon does not, 15 s are waited",
		profile, importing.Span(time.Duration(token)*time.Millisecond), lost)
}

var heuristicMessage = "no program's exit code decides who survives. A silent node is tested by its peers, on the " +
	"network that matters to them"

func (t *translation) quorumDisk(disk *importing.Element) {
	for _, heuristic := range disk.All("heuristic") {
		t.SayWhole(cannot, heuristic, "%s", heuristicMessage)
	}
	t.SayAll(cannot, disk, "there is no quorum disk. A witness has its vote: a small machine with clusterd that "+
		"votes and runs no services")
	t.Advise("Set up a witness in place of the quorum disk: clusterd with `witness: true` in its " +
		"/etc/clusterd/node.yaml, on a machine that does not depend on the shared storage. With three or more nodes it " +
		"is only needed where their number is even.")
}

var fenceDaemonTable = []known{
	{[]string{"post_join_delay"}, changes,
		"after a cold start a node that was not heard yet is waited for (60 s) before it counts as lost; there is no " +
			"number to set"},
	{[]string{"override_path", "override_time"}, changes,
		"a person's word is given with `clusterd fence confirm NODE`, at any time, and is kept in the timeline"},
	{[]string{"skip_undefined"}, changes,
		"a node without a fence device is shown `unprotected` and is never shot; what it ran stays down until " +
			"its end is known"},
}

// fenceDaemon translates the settings of fenced.
func (t *translation) fenceDaemon(e *importing.Element) {
	t.Container(e)
	t.tell(e, fenceDaemonTable)
	if delay := e.Get("post_fail_delay"); delay != "" && delay != "0" {
		t.Say(changes, e, []string{"post_fail_delay"},
			"there is no wait before a lost node is fenced: its peers test it first. timing: relaxed is the more "+
				"patient profile")
	}
	t.Tell(unneeded, e, []string{"post_fail_delay"},
		"a lost node is fenced as soon as its peers have confirmed the silence")
	if clean, _ := importing.Truth(e.Get("clean_start")); clean {
		t.Say(cannot, e, []string{"clean_start"},
			"a node that is absent is never taken for off: this ran VMs twice. `clusterd fence confirm NODE` is a person's "+
				"word for one node")
	}
	t.Tell(unneeded, e, []string{"clean_start"}, "an absent node is never taken for off")
	t.Tell(unneeded, e, []string{"debug", "groupd_compat", "cmdline"}, "fenced's own switch")
}

// surroundings speaks of what stands beside the resource manager.
func (t *translation) surroundings() {
	for _, e := range t.top.All("fence_daemon") {
		t.fenceDaemon(e)
	}
	for _, e := range t.top.All("dlm") {
		t.SayWhole(unneeded, e, "clusterd needs no lock manager. A file system that does (GFS2) keeps its own configuration")
	}
	for _, e := range t.top.All("group") {
		t.SayWhole(unneeded, e, "there is no groupd")
	}
	for _, e := range t.top.All("gfs_controld") {
		t.SayWhole(cannot, e, "clusterd does not run GFS2's lock manager; give the VMs block devices, or put GFS2 under "+
			"dlm and corosync of its own")
	}
	for _, e := range t.top.All("fence_xvmd") {
		t.SayWhole(cannot, e, "clusterd answers no fence requests of guests; run fence_virtd beside it if clusters "+
			"inside VMs need them")
	}
	for _, e := range t.top.All("logging") {
		for _, daemon := range e.All("logging_daemon") {
			t.SayWhole(unneeded, daemon, "there is one daemon, clusterd; its log_level is in /etc/clusterd/node.yaml")
		}
		t.SayAll(unneeded, e, "clusterd logs to the journal (journalctl -u clusterd); log_level is in "+
			"/etc/clusterd/node.yaml. What happened and why is in `clustat --events`")
	}
	for _, name := range []string{"clvmd", "rgmanager", "cmirror", "corosync", "aisexec", "amf", "event", "uidgid"} {
		for _, e := range t.top.All(name) {
			t.SayWhole(unneeded, e, "belongs to a daemon that clusterd neither needs nor starts")
		}
	}
}
