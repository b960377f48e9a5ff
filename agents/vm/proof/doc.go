// Package proof keeps what the answer "absent" rests on: which hypervisor
// calls are still open (Journal), and which processes exist (Processes). It
// knows neither libvirt nor what a VM is made of.
//
// Callers write a call down before they send it (Begin), take it out when its
// answer came (Returned), and mark it when its answer can no longer come
// (Lost). A process that could not be named counts as alive forever.
package proof
