// Package roll has `clusterd node roll`: hosts are emptied, a command is run for each (an upgrade
// with a reboot, as a rule), and they take services again, one after the other, until something is
// not as it should be. What is done next is decided by plain values; the command and the cluster
// are asked at the rim.
package roll
