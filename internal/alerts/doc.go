// Package alerts tells programs and web addresses of events. A Runner reads the
// timeline behind an alert's cursor, tells one event after the other, and notes
// how far it came; Send makes one attempt.
//
// Nothing waits for an alert: a Runner has a goroutine of its own, reads what was
// applied already, and writes nothing but its cursor. Each event is told at
// least once while it is in the timeline; a receiver that minds being told twice
// (the node that told it died before it noted so) goes by index and ordinal.
//
// Whoever calls Send with an alert's program runs it with this process's rights.
package alerts
