// Package breaks lists the mutants: deliberate breaks of the real code, law by law, each with the
// nets that have to notice it. It runs nothing; command mutants does.
//
// A break of law L1 to L9 is in the file of its law. L10 has two: who is let in, and the keys by
// which somebody is known. Breaks of what stands below several laws have files of their own: guards
// for what proves less than power, trees for services made of resources, rules and places for what
// is between services and where they go, kinds for what one kind of fault alone can show.
package breaks
