// Package systemd asks this host's systemd, by D-Bus, to start and stop units,
// what state they are in, and for scopes in which processes live apart from the
// daemon. It knows nothing of resources.
//
// The words go over systemd's own socket where that is open to us, which needs no
// bus daemon, and over the system bus else. All calls go over one connection, in
// their order: a stop never overtakes the start before it. A deadline ends our
// waiting, not the job that systemd has queued; State reports whether a unit has one.
package systemd
