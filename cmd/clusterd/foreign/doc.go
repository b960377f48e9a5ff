// Package foreign reads the configuration of another cluster manager, whichever it is, for those
// commands that take one.
package foreign
