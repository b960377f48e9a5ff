// Command mutants proves that the watchers can fail: it breaks the real code on
// purpose, one break at a time, and runs the net that has to notice.
//
// What there is to break is listed in package breaks: a mutant is a few edits
// (file, exact old text, new text), the law it breaks, and the nets that should
// catch it: random histories of test/sim, the stories of test/scenarios, or named
// tests of a package. Where two nets exist for one
// law, the single breaks are listed too and must be harmless in the simulation.
// The edits go to the compiler through `go build -overlay`, so the sources are
// never touched. What lies within functions is built for all mutants at once, and the environment
// says which is meant (see woven). An edit whose old text is not found exactly once ends the run
// with words: the code has moved on, and the mutant has to follow.
//
//	go run ./test/mutants            all of them; exit status 1 if one is not as it should be
//	go run ./test/mutants -only L5   those of one law, or whose name contains the text
//	go run ./test/mutants -list      what there is
//	go run ./test/mutants -check     build them, and run nothing
//
// The seed that showed a mutant last is listed in shown.txt and played first; a mutant that it no
// longer shows meets the histories from the first on. -remember writes the list anew.
//
// The last line is `figure: mutants=… caught=…`; harmless single breaks are not
// counted in it.
//
// Duties of a caller: run it in the module's root or below, with the sources in
// a state in which the simulation finds nothing.
package main
