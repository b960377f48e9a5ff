// Package vm drives libvirt: it starts, stops, watches and migrates virtual
// machines, and answers "absent" only with proof.
//
// A libvirt call outlives its caller: a create whose client was killed still
// happens when libvirtd wakes up. So every call that could bring a VM up or
// take it down is written to a journal before it is sent, and a VM is Absent
// only when (a) each such call has returned, or the libvirtd process that
// received it is dead, (b) libvirt answers that it has no such VM, and (c) no
// QEMU process carries its UUID. Anything less is Unknown.
//
// Callers own deadlines and order: one act at a time for one VM. Spec budgets
// apply below the caller's context. A context that is cancelled, rather than
// run out, ends the waiting and leaves the act alone, because a restart of the
// daemon must not disturb a migration.
//
// Package vm/doorkeeper holds libvirt's `qemu` hook, which must not call
// libvirt; it is a package of its own so that the hook links none of it.
//
// All cgo of the project is in this package. Without cgo New answers
// ErrNoLibvirt; the pure parts (disks, journal, decisions) always compile.
package vm
