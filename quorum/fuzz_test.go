package quorum

import (
	"bytes"
	"testing"
)

// FuzzForwardedRequest reads what a peer may send on the channel of proposals: no crash, no memory
// for what did not come.
func FuzzForwardedRequest(f *testing.F) {
	f.Add([]byte{kindPropose, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{kindReadIndex, 0, 0, 0, 0})
	f.Add([]byte{kindPropose, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, body, err := readRequest(bytes.NewReader(data))
		if err == nil && (len(body)+requestHeadBytes > len(data) || kind != data[0]) {
			t.Errorf("kind %d with %d bytes of %d", kind, len(body), len(data))
		}
	})
}

// FuzzAnswer reads what a leader may answer.
func FuzzAnswer(f *testing.F) {
	f.Add(encodeAnswer(7, nil))
	f.Add(encodeAnswer(0, ErrUnfit))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = readAnswer(bytes.NewReader(data))
	})
}
