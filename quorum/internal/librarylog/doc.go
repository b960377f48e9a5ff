// Package librarylog lets the libraries below the log and gossip write to slog, without the same
// warning several times a second.
package librarylog
