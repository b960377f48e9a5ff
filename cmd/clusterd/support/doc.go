// Package support collects diagnostics of this host and its cluster in one archive, without
// passwords and keys. Each part has its deadline; one that fails is a file that says why.
package support
