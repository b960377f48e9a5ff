// Package e2e tests the real daemons on the lab's pretend hosts against the faults that an administrator must be able to
// shrug off: a clusterd that is killed, a libvirtd that is restarted, at any moment. No VM may be touched, none may run
// twice, no host may be fenced.
//
// Two nodes that go on without each other are shown as plain processes too, without root (TestTwoNodesAsProcesses).
//
// The other tests need root, Debian's packages and CLUSTERD_LAB=1; otherwise they skip and say so. CLUSTERD_LAB_LONG=1 makes them
// try more moments.
package e2e
