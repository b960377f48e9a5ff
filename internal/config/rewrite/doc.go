// Package rewrite changes single values in the text of a cluster document, and keeps everything
// else of it: an administrator's order, comments and line breaks. So secrets are masked or sealed
// in it, a service is added, and an earlier document comes back with the passwords in force.
package rewrite
