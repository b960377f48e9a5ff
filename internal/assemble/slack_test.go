package assemble

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestEveryThreadMayWakeLate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: another thread's slack is set with CAP_SYS_NICE")
	}
	allowLateTimers()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of this process: %v, %v", threads, err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		if os.IsNotExist(err) {
			continue // the thread ended
		}
		if got := strings.TrimSpace(string(text)); err != nil || got != strconv.FormatInt(timerSlack.Nanoseconds(), 10) {
			t.Errorf("thread %s: slack %q, %v", thread.Name(), got, err)
		}
	}
}
