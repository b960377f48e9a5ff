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
// The api socket is as powerful as root on the target, so three things are asked
// of each stream, on both ends: is the other end a member by its very key, does
// the log hold an open migration between the two, and (on the target, for api
// streams) is each call one that the migration of that guest makes. The daemon writes the first
// two into the roster; without a roster, or for long without a daemon, nobody is
// let in. Streams are held against the roster for as long as they are open.
package tunnel
