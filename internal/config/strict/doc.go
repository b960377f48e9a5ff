// Package strict reads YAML that people write, and lets no mistake pass: every fault of a file is
// told at once, with its place and in words. It knows kinds of values, and no key of any file.
package strict
