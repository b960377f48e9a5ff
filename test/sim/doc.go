// Package sim is a small world for the mind: hosts with power, boots, daemons,
// hypervisors and BMCs, links between them and a modelled log, all in one
// thread on a virtual clock. The nodes in it are the real cluster.Node and the
// real Apply; everything they touch is pretended, and can be broken.
//
// A world is a function of its seed: one seed and one commit are one history.
// Watchers look after every event (watch.go); what they find is in Violations.
//
// Duties of a caller: one goroutine per World; found the world with Found, let
// time pass with Run, and read Violations at the end.
package sim
