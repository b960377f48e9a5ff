// Package rgconf translates the cluster.conf of Red Hat Cluster Suite (RHEL 5)
// and the High Availability Add-On (RHEL 6), as cman, fenced and rgmanager
// read it, into a cluster document.
//
// It translates what the old cluster did, not what its file seems to say:
// attributes that were never read (a priority in an unordered domain) stay
// unread, and where the old code had a quirk that is resolved here, the report
// says so.
package rgconf
