// Package keys is the table by which each kind of thing of a document is read, compared, shown and
// documented: a row for each key.
package keys
