package scsi

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// array is a disk array in a file, and the faults it was told to have. The
// helper of the tests is this very program, so that processes, pipes and
// deadlines are real.
type array struct {
	Generation uint32
	Keys       []Key
	Holder     Key
	Type       int
	Forgetful  bool
	// Faults, by operation.
	Hang    map[operation]bool
	Garbage map[operation]string
	Answer  map[operation]outcome
	// Liar accepts a preempt-and-abort and does nothing.
	Liar bool
	// Idle accepts it, removes the key, and does not count.
	Idle bool
	// Dies carries the command out and does not answer.
	Dies bool
	// Log is what was asked.
	Log []string
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "array" {
		playArray(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "relay" {
		if err := relay(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "helper" {
		if err := RunHelper(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// playArray answers one request about the disk in dir.
func playArray(dir string) {
	q, err := decodeRequest(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	path := filepath.Join(dir, filepath.Base(q.device))
	lock, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		_, _ = os.Stdout.Write(reply{outcome: outFailed, detail: "this node has no such disk"}.encode())
		return
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		panic(err)
	}
	a := loadArray(path)
	a.Log = append(a.Log, string(q.operation))
	p := a.play(q)
	saveArray(path, a)
	switch {
	case a.Hang[q.operation]:
		_ = lock.Close()
		time.Sleep(time.Hour)
	case a.Dies && q.operation == opPreemptAbort:
		os.Exit(7)
	case a.Garbage[q.operation] != "":
		fmt.Print(a.Garbage[q.operation])
	default:
		_, _ = os.Stdout.Write(p.encode())
	}
}

func (a *array) play(q request) reply {
	if told, faulty := a.Answer[q.operation]; faulty {
		return reply{outcome: told, detail: "as scripted"}
	}
	registered := slices.Contains(a.Keys, q.key)
	switch q.operation {
	case opRead:
		reading := Reading{Generation: a.Generation, Keys: a.Keys, Holder: a.Holder, Type: a.Type, Paths: 1,
			Persistence: Persistent}
		if a.Forgetful {
			reading.Persistence = Forgetful
		}
		return reply{outcome: outDone, reading: reading}
	case opRegister:
		a.Generation++
		if !registered {
			a.Keys = append(a.Keys, q.key)
		}
	case opReserve:
		if !registered || a.Holder != 0 {
			return reply{outcome: outConflict}
		}
		a.Holder, a.Type = q.key, WriteExclusiveRegistrantsOnly
	case opPreemptAbort:
		return a.preempt(q, registered)
	}
	return reply{outcome: outDone}
}

func (a *array) preempt(q request, registered bool) reply {
	switch {
	case a.Liar:
		a.Generation++
		return reply{outcome: outDone}
	case !registered || !slices.Contains(a.Keys, q.victim):
		return reply{outcome: outConflict}
	}
	if !a.Idle {
		a.Generation++
	}
	a.Keys = slices.DeleteFunc(a.Keys, func(k Key) bool { return k == q.victim })
	if a.Holder == q.victim {
		a.Holder = q.key
	}
	return reply{outcome: outDone}
}

func loadArray(path string) *array {
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	a := &array{}
	if err := json.Unmarshal(text, a); err != nil {
		panic(err)
	}
	return a
}

func saveArray(path string, a *array) {
	text, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		panic(err)
	}
}
