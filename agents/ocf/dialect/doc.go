// Package dialect speaks to agents: which program a resource's type names, what
// it is given, and what its exit code means. There are four dialects: OCF
// (1.0 and 1.1), that of rgmanager's agents, systemd's units and LSB init scripts.
//
// A dialect decides nothing. It turns a wish (an Action) into a program, and the
// program's end into a Verdict.
package dialect
