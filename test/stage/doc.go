// Package stage sets clusters of clusterd up where they can be broken: on the lab's pretend
// hosts with real libvirt, QEMU and IPMI, or, plainly labelled as simulated, as processes of an
// ordinary user. The demonstration, the benchmarks and the tests with the real daemon stand on
// it; what differs between the two kinds hides behind [World].
//
// The caller's duties:
//
//   - Build clusterd, clustat and clusvcadm first and name their folder; [BuildTools] does that
//     for tests.
//   - For a lab, call lab.Reexec first thing in main or TestMain.
//   - Call Close at the end, also after a failure and after Ctrl-C; it may be called twice.
package stage
