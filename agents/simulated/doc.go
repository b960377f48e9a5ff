// Package simulated is a pretend hypervisor for `make demo SIM=1` and for
// tests: everything it shows is SIMULATED, no guest ever runs.
//
// Its VMs are files in a directory that all simulated nodes share, so they
// outlive the daemons as real ones do: a migration under way ends by itself
// when its time has come, whoever watches. Each change of who runs what is
// appended to a record; CheckSingle reads it and reports whether a VM ever ran
// on two nodes at once.
//
// Callers choose one directory per cluster and keep it private (0700).
package simulated
