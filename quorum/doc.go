// Package quorum keeps one log of opaque entries on all nodes of a cluster and listens for the
// nodes' signs of life.
//
// It hides its libraries (hashicorp/raft, raft-wal): none of their types appears in an exported
// name. It imports nothing else of this project, but for how libraries log, and never looks into
// the bytes it carries.
//
// There are three things in it, each usable alone:
//
//   - Wire divides the authenticated connections the caller provides among the others.
//   - Log is the replicated log. Propose appends, Verify makes a local read current, Role tells
//     who leads.
//   - Pulse sends and hears heartbeats and, when asked, tests whether a silent node's kernel or
//     only its daemon is gone.
//
// Package gossip finds members and carries small hints; package voters says who should vote.
//
// # The caller's duties
//
//   - Give Wire connections that are mutually authenticated. Whoever can open a connection can
//     write to the log.
//   - Make Machine.Apply a function of its state and the entry alone. Entry.At is the leader's
//     clock: for telling, never for safety.
//   - Return at once from Machine.Snapshot, with a root that later Applies do not change. Its
//     writer runs beside Apply.
//   - After ErrOutcomeUnknown an entry may or may not be in the log. Put a request id into the
//     entry, repeat the same bytes, and let Machine.Apply recognize the repetition.
//   - End the process when Options.Fatal is called: the disk hangs, and only another node's
//     election helps. It must not touch the virtual machines.
//   - Close in reverse order of opening: gossip, Pulse, Log, then Wire. Wire.Close waits until
//     nothing of it is left. Call nothing of a thing after its Close.
//   - Watch Role.Member. A node that was removed from the cluster stays up as a follower of
//     nobody until it is closed.
//   - Keep the data folder private. It is made with mode 0700, because entries may carry passwords.
//
// Tests of this package, and of what stands on it, run under testing/synctest on the network of
// quorumtest.
//
// Liveness verdicts are evidence, not decisions. Silent means this question was asked and
// nothing came back; Unknown means nobody could ask. Neither of them means off.
package quorum
