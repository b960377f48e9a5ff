// Package packages tries the packages of "make dist": what is in them, that the same commit gives
// the same bytes, and that installing, upgrading and removing them touches no VM. Its tests are run
// by "make test-packages", which builds them.
package packages
