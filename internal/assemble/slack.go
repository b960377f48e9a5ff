package assemble

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// timerSlack is how late the kernel may end a short sleep of the daemon. The shortest time the
// daemon goes by is some hundred times longer.
const timerSlack = time.Millisecond

// allowLateTimers sets the timer slack of all threads of this process; threads
// made later inherit it, see prctl(2), PR_SET_TIMERSLACK.
//
// Go's monitor thread wakes with every event that an idle process gets, and looks
// every 20 µs whether it may sleep again. With the kernel's 50 µs of slack that was
// two fifths of what an idle daemon cost. It is done for the sake of economy only,
// so a kernel that refuses is left alone.
func allowLateTimers() {
	slack := []byte(strconv.FormatInt(timerSlack.Nanoseconds(), 10))
	for range 2 { // a thread may be made by another whose turn comes later
		threads, _ := filepath.Glob("/proc/self/task/[0-9]*")
		for _, thread := range threads {
			// The file stands only in the folder that a thread has beside the processes.
			_ = os.WriteFile(filepath.Join("/proc", filepath.Base(thread), "timerslack_ns"), slack, 0)
		}
	}
}
