// Package declare has the commands that change single things of the cluster document, for who does
// not want to edit it: a VM, a service, a failover domain, a value. Each makes the text that the
// document would have; what becomes of it is planned, shown and asked about as for a whole one.
package declare
