// Package scenarios holds stories: test/scenarios/<fear>/<story>.txt, each a
// comment that a system administrator understands, a few commands, and the
// timeline that must follow, as the operator reads it. The world they happen
// in is test/sim in its steady form.
//
// `REWRITE=1 go test ./test/scenarios` writes the expected output anew; read the
// diff before it is committed, and say in the commit why the story changed.
package scenarios
