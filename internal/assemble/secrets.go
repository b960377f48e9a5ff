package assemble

import "golang.org/x/sys/unix"

// keepMemoryToItself leaves no copy of the daemon's memory, in which keys are, to anybody: no
// core, and no look into it by other processes of its user. Where the kernel does not know the
// calls, it is as before.
func keepMemoryToItself() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
