// Package cib translates Pacemaker's cluster information base, as `cibadmin -Q`
// or `pcs cluster cib` write it, into a cluster document.
//
// Pacemaker weighs scores and places everything anew at each change; here a
// failover domain ranks nodes, and rules between services hold or do not hold.
// Scores that mean "must" and "must not" are translated; a wish of a hundred
// points more than another cannot be, but as a rank among nodes, and the report
// says so.
package cib
