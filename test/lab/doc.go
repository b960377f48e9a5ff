// Package lab builds a small cluster of pretend hosts on one Linux machine: real libvirtd, real
// QEMU guests, real IPMI packets, real power cuts. Nothing above the BMC and below the network
// cable is faked.
//
// Each host is a set of namespaces (net, mount, uts, ipc, pid) whose first process is this
// package itself, run again as a small init. A hub namespace holds the bridges, the BMC
// simulators and the block server. A power cut ends every process of the host before anybody can
// hear that the power is off.
//
// The caller's duties:
//
//   - Call [Reexec] first thing in main or TestMain. The init of a host and the chassis program
//     of a BMC are the calling program itself, run again with a hidden first argument.
//   - Be root on Debian; [Up] returns [ErrNotRoot] or [ErrNotDebian] otherwise. [Missing] tells
//     which packages are absent, so that a test can skip before it touches anything.
//   - Call [Lab.Close] at the end, also after a failure; it may be called twice. A program that
//     a user may interrupt calls [Lab.CloseOnSignal]. What a killed lab leaves behind is removed
//     by the next Up with the same prefix.
//   - Use lab addresses only from inside the lab: [Host.Command], [Lab.HubCommand],
//     [Lab.ListenPacketInHub]. From the root namespace they lead nowhere or, worse, somewhere
//     else.
//   - Keep two labs that live side by side apart by Options.Prefix. Their address ranges may be
//     equal.
//
// Networks (node N has .N, the hub .254 on each):
//
//	management  10.99.0.0/24  eth0  cluster traffic, migration; cut by Host.Cut
//	storage     10.98.0.0/24  eth3  block server on 10.98.0.254:10809, apart so that a host cut off
//	                                from its peers can still write, which is the case that fencing
//	                                exists for
//	bmc         10.97.0.0/24  eth2  the BMC of node N listens on 10.97.0.(100+N):623
//	guests      10.77.0.0/24  eth1  bridged into br0 on each host; a guest has .Number, the host
//	                                itself .(200+N)
package lab
