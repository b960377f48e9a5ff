// Package sim is a small world for the mind: hosts with power, boots, daemons,
// hypervisors and BMCs, networks between them and a modelled log, all in one
// thread on a virtual clock. The nodes in it are the real cluster.Node and the
// real Apply; everything they touch is pretended, and can be broken.
//
// A history is a Script: written from its seed before it begins, so that one
// seed and one commit are one history, and a failing one can be made shorter
// (Shrink). It lasts thirty minutes in six rounds: faults, then calm in which
// everything placeable must run within a bound, then silence in which nothing
// may change. Watchers look after every event, at what the State says (watch.go)
// and at how the world really is (laws.go); what they find is in Violations.
//
// What breaks: the log's leader, its quorum, entries in limbo, answers; slow
// followers, snapshots, restarts from an older snapshot; power, boots, blackouts
// with stragglers; daemons that die, pause, or hang with their host; links of
// the management network in one direction or both, the way to a BMC; stopwatches
// that drift, wall clocks that jump; BMCs that are dead, deaf, mute, slow,
// hanging, early, another machine's, without power when their host is, or without the right to
// switch it off; addresses that come late or change; data volumes that take no write;
// hypervisors that fail, hang, restart, lose or delay events, carry out calls
// late, lose a migration's last reply, and autostart; guests that crash, end,
// vanish and pause; storage that goes away; people who ask, repeat, fence,
// confirm, configure, move, destroy, remove, replace and reinstall, and who rotate
// the key of a node (turning.go): daemons believe each other by what their State, or
// what they wrote down, says of the keys in use (keyring.go); old and new
// versions side by side, upgraded one by one and back, with rules that only the
// new ones know.
//
// Left out: what the mind does not have yet (watchdogs and leases, storage
// fencing with reservations and ioctls that hang). Not modelled: a BMC that says
// off twice and is not, and an operator's false word about a machine that runs,
// which break law L3 by themselves; `clusterd recover`; an autostart or a start by
// hand through the door while the node's own log asks for that VM, which the door
// cannot tell apart, so that managed VMs have no definition in libvirt.
//
// Worlds of two nodes with the two-node rule have scripts of their own (pair.go,
// pairscript.go): the rule's decisions are the real ones, what lies around them
// (files, the log's take-over, coming back) is pretended. Off commands that a board
// has accepted take effect within half of the rule's delay there, as it assumes.
//
// Duties of a caller: one goroutine per World; found the world with Found, let
// time pass with Run, and read Violations at the end.
package sim
