// Package daemon is the shell around the mind: it owns the clock, the sockets
// and the goroutines, hears (ears.go), steps (loop.go), proposes (propose.go)
// and acts (internal/executor). The tools are answered by internal/server, which sees of a daemon
// what is in served.go.
//
// The order of a start: identity and replicated log first, so that this node
// knows the cluster's newest will; then an incarnation and an inventory
// (internal/membership/admission); only then is anything done (law L2). A stop leaves every VM
// running.
package daemon
