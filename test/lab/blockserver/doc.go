// Package blockserver serves disks over NBD without any lock, and remembers who wrote when. It
// is the lab's witness of two writers: file locks cannot play that part, because all pretend
// hosts share one kernel and its locks would hide a double start that real hosts would not
// survive.
//
// The caller's duties: give [Serve] a listener whose peers have addresses that Options.HostOf
// can name, call [Server.DropHost] when a host has lost its power, and [Server.Close] at the
// end. An export is made at its first use and is a sparse file below Options.Directory; the
// record of its writers lies beside it as NAME.writers.json.
package blockserver
