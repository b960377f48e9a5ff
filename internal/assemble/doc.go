// Package assemble puts together what a daemon reaches of its machine: agents, fence drivers, the
// watchdog and the doorkeeper, or the simulated ones of `make demo SIM=1`. It alone knows which
// concrete parts there are; the daemon is given them as one value, daemon.Host.
package assemble
