// Package limits keeps what strangers can take from a daemon small and apart from what it needs
// itself: places (Pot), requests in a time (Pace), lines of its log (Quiet).
//
// Nothing here reads a clock; the caller tells the time.
package limits
