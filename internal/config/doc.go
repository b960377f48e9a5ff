// Package config reads, checks, compares and prints the cluster document, which is replicated to
// every node. The small file of each node's own settings is package nodefile's.
//
// Reading is strict (package strict). An unknown key, a wrong type, a name used twice, a reference
// to nothing: each is a fault with file, line, column and, where there is one, the nearest known
// word. All faults are reported at once, and a document with a fault is not taken in at all: half a
// configuration is the wrong configuration.
//
// Duties of the caller:
//   - The tool that an administrator runs calls Prepare, which reads the files that the document
//     names (definition_file, password_file) where the administrator is, and sends the text that
//     Prepare returns.
//   - The daemon calls Parse with the Document in force as previous, and without a readFile:
//     what a document means must not depend on the node that reads it. It keeps Parsed.Text, not
//     what was sent.
//   - Parsed.Text and Parsed.Document hold passwords of fence devices. They are kept in files of
//     mode 0600 and never reach a log or a screen; rewrite.Redact, Diff and Print are what may be
//     shown.
package config
