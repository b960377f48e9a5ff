// Package placing finds services that could never all run, by what several sentences of a document
// say together: their restricted domains, who runs together, who is kept apart, who is alone on its
// node. It finds rings and the like that have no places although no crowd is too large, as far as
// a bounded search goes, and just as well those that need every node they may have.
//
// What it tells is true: each contradiction is made by the services that it names.
// It need not tell everything, and may name more services than are needed. To find the largest
// crowd among services that are kept apart is a problem for which nobody knows a way that is always
// short, so the search ends after a number of comparisons that is the same for every document (see
// mostSteps), and says whether it ended so. The search for rings has such a bound of its own, and
// one for each part of a document (see mostWork).
//
// The package is pure: the same rules give the same answer, in the same order.
package placing
