package scsi

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// FuzzReply reads what a helper may answer. What is taken for a whole answer says the same when it
// is written again, and no answer makes more of itself than it has bytes.
func FuzzReply(f *testing.F) {
	f.Add(reply{outcome: outDone, reading: Reading{Generation: 7, Keys: []Key{1, 2}, Holder: 1, Type: 5, Paths: 2,
		Persistence: Persistent}}.encode())
	f.Add(reply{outcome: outConflict, detail: "somebody else was first"}.encode())
	f.Add([]byte("outcome=done\nkey=0x1\n"))
	f.Add([]byte("outcome=done\nend=1\nkey=0x1\n"))
	f.Add([]byte("outcome=perhaps\nend=1\n"))
	f.Add([]byte("type=999\nend=1\n"))
	f.Add([]byte(strings.Repeat("key=0x1\n", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeReply(bytes.NewReader(data))
		if err != nil {
			if len(err.Error()) > 6*maxDetail {
				t.Errorf("a fault of %d bytes for an answer of %d", len(err.Error()), len(data))
			}
			return
		}
		if len(got.detail) > maxDetail+3 || strings.ContainsAny(got.detail, "\n\r") || len(got.reading.Keys)*4 > len(data) {
			t.Errorf("%d keys and a detail of %d bytes were read from %d", len(got.reading.Keys), len(got.detail), len(data))
		}
		again, err := decodeReply(bytes.NewReader(got.encode()))
		if err != nil || again.outcome != got.outcome || !reflect.DeepEqual(again.reading, got.reading) {
			t.Errorf("%+v is %+v when it is written and read again, %v", got, again, err)
		}
	})
}

// FuzzRequest reads what the helper is asked.
func FuzzRequest(f *testing.F) {
	f.Add(request{operation: opPreemptAbort, device: "/dev/sda", key: 1, victim: 2}.encode())
	f.Add([]byte("operation=read\nnonsense\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeRequest(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again, err := decodeRequest(bytes.NewReader(got.encode())); err != nil || again != got {
			t.Errorf("%+v is %+v when it is written and read again, %v", got, again, err)
		}
	})
}
