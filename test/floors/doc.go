// Package floors holds the house together by tests: who may import whom, that the pure rooms stay
// pure, and that the tree stays tidy. Each rule carries its reason.
package floors
