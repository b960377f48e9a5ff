// Package manual writes manual pages and bash completions from the tree of
// commands and options that a tool really has, so that neither can promise what
// is not there. What options cannot say (what a tool is for, its exit codes, its
// files) is prose in a small markup, see Prose.
//
// It is called by tests of the tools only: they compare what is in docs/man and
// packaging/completion with what the tree gives, and REWRITE=1 writes it anew.
package manual
