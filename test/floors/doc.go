// Package floors holds the house together by tests: who may import whom, and
// that the pure rooms stay pure. Each rule carries its reason.
package floors
