package agent

import (
	"testing"

	"github.com/clusterd/clusterd/fence"
)

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(storyMetadata))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseMetadata(text)
		if err == nil && (len(m.Parameters) > maxNames || len(m.Actions) > maxNames) {
			t.Errorf("%d parameters, %d actions", len(m.Parameters), len(m.Actions))
		}
	})
}

// No text makes a status that is neither 0 nor 2 a reading.
func FuzzPower(f *testing.F) {
	f.Add([]byte("Status: OFF"), []byte(""), 2)
	f.Add([]byte("usage: fence_x"), []byte(""), 2)
	f.Fuzz(func(t *testing.T, stdout, stderr []byte, exit int) {
		power := outcome{exit: exit, stdout: stdout, stderr: stderr}.power()
		if power != fence.PowerUnknown && exit != exitDone && exit != exitOff {
			t.Errorf("exit status %d reads as %v", exit, power)
		}
	})
}
