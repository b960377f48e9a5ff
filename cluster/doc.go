// Package cluster is what is known (State), what was decided (Command), and who
// has to do it (Work). The rooms below it are what becomes of that:
//
//   - rules: what Plan and Apply both ask of a read-only World;
//   - apply: how a decision becomes knowledge, the only one that writes a State;
//   - plan: what should be decided next, and why not something else;
//   - rehearse: what would happen, on a copy;
//   - mind: the one step of a node that ties them together (Node.Step).
//
// All of them are pure. None has no clock, timer, randomness, goroutine, lock,
// file, socket or log call; `now` is an argument; maps are walked by sorted
// key. The same input gives the same output, so that a history can be replayed
// and simulated.
//
// Duties of a caller:
//   - one goroutine applies committed entries in order and hands out Fork()s;
//   - one goroutine calls Step, with every reading of its clock monotonic;
//   - Commands are proposed to the log as they come out; nothing is done that
//     is not a Duty handed out by Step from the applied State;
//   - results of duties go back into Step and are never dropped.
//
// The laws that Apply enforces are written down in docs/laws.md.
package cluster
