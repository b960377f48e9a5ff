// Package audit keeps a node's trail of who did what: administrators' acts, what was read that
// holds secrets, and who was refused. Each line carries the sum of itself and the line before, so
// that a line that was changed or taken out shows; who can write to the disk can write all of it
// anew, which is why the same lines go to the daemon's log as well.
package audit
