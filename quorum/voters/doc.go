// Package voters works out which member of the log should get a vote, or lose it, as the next step.
// It is a function of what it is given, and changes nothing itself.
package voters
