// Package recorder keeps what the leader planned from: State, View and the
// decision, of each plan that led to a command, so that an odd decision can be
// made again at a desk with the very code, or with another version of it.
//
// A caller makes one Recorder with New, runs Run in a goroutine of its own until
// the daemon ends, and hands over each cluster.Planned with Keep, which never
// waits. Read, List and Replay are for tools and need no daemon.
//
// Records are an aid and never a condition: they are dropped when the disk is
// slow, full or broken, and the daemon goes on. What lies on disk has a limit, is
// readable by root only, and holds no secret (see WithoutSecrets). It does name
// nodes, addresses, services and disks.
package recorder
