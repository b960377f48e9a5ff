// Package daemon is the shell around the mind: it owns the clock, the sockets
// and the goroutines, hears (ears.go), steps (loop.go), proposes (propose.go)
// and acts (internal/executor). The tools are answered by internal/server, which sees of a daemon
// what is in served.go. All else that a node does lies in rooms of its own, each of which is handed
// the little that it needs (rooms.go) and sees of the log what it asks for (ledger.go).
//
// The order of a start: identity and replicated log first, so that this node
// knows the cluster's newest will; then an incarnation and an inventory
// (internal/membership/admission); only then is anything done (law L2). A stop leaves every VM
// running.
package daemon
