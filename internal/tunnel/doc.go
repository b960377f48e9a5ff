// Package tunnel carries live migrations between nodes over the cluster's own
// mutual TLS, so that no host needs ssh keys, libvirt TCP or libvirt TLS.
//
// For each migration (an act) the source's node has two UNIX sockets: one that
// leads to the target's libvirtd ("api") and one that leads to the target's
// QEMU ("data"). libvirt wants the data socket at the same path on both ends,
// so Config.Dir must be the same on every node.
//
// The forwarder is a small process of its own, started by the daemon in its
// own session, that outlives it: a daemon that is killed in the middle of a
// migration must not cut the guest's memory stream. It ends by itself when no
// daemon is connected and nothing flows for a while. Under systemd a restart
// of the daemon's unit would kill it with the rest of the unit's processes:
// give the unit KillMode=process, or run `clusterd forward` as a unit of its
// own.
//
// Callers give a Security whose Listen lets in verified nodes only. The api
// socket is as powerful as root on the target: whoever gets past Listen can
// drive its libvirtd.
package tunnel
