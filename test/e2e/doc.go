// Package e2e tests the real daemons on the lab's pretend hosts against the faults that an
// administrator must be able to shrug off: a clusterd that is killed, a libvirtd that is
// restarted, at any moment. No VM may be touched, none may run twice, no host may be fenced.
//
// TestUnits is for the units: one of the lab's hosts runs a real systemd. make test-units gives it
// what it needs. It skips where systemd cannot run, and says which limits it could not look at.
//
// Two nodes that go on without each other are shown as plain processes too, without root
// (TestTwoNodesAsProcesses).
//
// The other tests need root, Debian's packages and CLUSTERD_LAB=1; otherwise they skip and say
// so. CLUSTERD_LAB_LONG=1 makes them try more moments, and CLUSTERD_TOOLS names a folder of a build
// (bin), so that none is made.
package e2e
