// Package scenarios holds stories: test/scenarios/<fear>/<story>.txt, each a
// comment that a system administrator understands, a few commands, and the
// timeline that must follow, as the operator reads it. The world they happen
// in is test/sim in its steady form.
//
// Fears are fencing, quorum, domains, migration, restart, operator and upgrade.
// A story declares (node, domain, service, found), lets everything come to rest
// (settle), breaks something (power-off, isolate, bmc, kill-daemon, ...) or asks
// for something (ask, leave, fence, confirm, ...), lets time pass (run 5s, or
// until TEXT happens), and shows more where the timeline is not enough (notes,
// status). After a line `----` stands what must be told, up to an empty line.
// story_test.go and managing_test.go have all commands.
//
// `make scenarios REWRITE=1` writes the expected output anew; read the diff before
// it is committed, and say in the commit why the story changed.
package scenarios
