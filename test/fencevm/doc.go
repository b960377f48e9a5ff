// Package fencevm shows the fence drivers that need a kernel of their own on
// real ones: a disk array (LIO over iSCSI) and two nodes in QEMU machines, with
// a watchdog that really resets them. The drivers are the product's own, in a
// small program that is also the machines' init; in one story it is clusterd
// itself that runs there, with a witness beside the machines.
//
// The tests run with make test-fence-vm, as root. They need QEMU and its iSCSI
// driver and fetch a Debian kernel, which is unpacked into a cache and never
// installed. Each machine has a limit and ends with the test.
package fencevm
