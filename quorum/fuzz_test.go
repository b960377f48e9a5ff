package quorum

import (
	"bytes"
	"testing"
)

// What a member's connection carries may be anything, once that member is somebody else's.
func FuzzForwarded(f *testing.F) {
	f.Add([]byte{kindPropose, 0, 0, 0, 3, 'a', 'b', 'c'})
	f.Add(encodeAnswer(7, ErrBusy))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, body, err := readRequest(bytes.NewReader(text)); err == nil && len(body) > requestBytesMax {
			t.Errorf("a request of %d bytes", len(body))
		}
		if _, err := readAnswer(bytes.NewReader(text)); err != nil && len(err.Error()) > 2*messageBytesMax {
			t.Errorf("an answer of %d bytes", len(err.Error()))
		}
	})
}
