// Package cli is what the command line tools share: getopt's way with options, tables, the
// timeline's one renderer, progress on a terminal, and what to say when the daemon cannot be
// reached.
//
// Everything that renders is a function from values to text, so that what is tested is what the
// operator reads. Callers bring times into the zone they want to show, know the terminal (Screen
// does) and print.
//
// The package knows the daemon only by the types and the client of package api.
package cli

// Version is what the tools print. The build may set another.
var Version = "0.1.0"
