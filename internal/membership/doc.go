// Package membership is how a node comes to belong to a cluster, and what it keeps of that: its
// data folder, founding and joining, recovery and restore, whose key is whose, and what this
// machine is known by.
//
// All of it works on a daemon that does not run, or is asked by one that does; nothing here waits
// for the log.
package membership
