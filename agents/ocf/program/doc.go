// Package program runs one program of somebody else's to its end, or to the
// end of our patience: without a shell, in a session of its own, with a
// deadline and a bounded output. It knows nothing of resources.
//
// A deadline ends the waiting and kills the program's process group; whether
// that group is really gone is a question of its own, which Group.Alive
// answers. Whoever draws conclusions from a program that was killed asks it.
//
// The output goes into memory that needs no reader; a program that floods it is
// killed, and what a program leaves behind cannot add to it.
// So a program outlives the daemon that began it, as do processes that it leaves
// behind: neither gets a broken pipe.
package program
