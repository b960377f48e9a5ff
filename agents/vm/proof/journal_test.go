package proof

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	oldServer = Process{PID: 10, Ticks: 100, Boot: "b"}
	newServer = Process{PID: 11, Ticks: 200, Boot: "b"}
)

func emptyJournal(t *testing.T) (*Journal, string) {
	t.Helper()
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j, dir
}

func begin(t *testing.T, j *Journal, kind string, server Process) int {
	t.Helper()
	number, err := j.Begin("vm-1", kind, "1.2.0", server, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestJournalForgetsWhatReturned(t *testing.T) {
	j, dir := emptyJournal(t)
	create, destroy := begin(t, j, Create, oldServer), begin(t, j, Destroy, oldServer)
	j.Returned("vm-1", create)
	if left := j.Open("vm-1"); len(left) != 1 || left[0].Number != destroy {
		t.Fatalf("%+v", left)
	}
	j.Returned("vm-1", destroy)
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Fatalf("left on disk: %v", files)
	}
}

func TestJournalOutlivesTheDaemon(t *testing.T) {
	j, dir := emptyJournal(t)
	begin(t, j, Create, oldServer)
	next, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := next.Open("vm-1")
	if len(open) != 1 || !open[0].Orphan || open[0].Server != oldServer || open[0].Act != "1.2.0" {
		t.Fatalf("%+v", open)
	}
	if vms := next.VMs(); len(vms) != 1 || vms[0] != "vm-1" {
		t.Fatalf("%v", vms)
	}
	// The process that received the call is dead: what it had not done it won't do.
	next.DropDead("vm-1", func(p Process) bool { return p == newServer })
	if left := next.Open("vm-1"); len(left) != 0 {
		t.Fatalf("%+v", left)
	}
}

func TestJournalWaitsForSilentOrphansOnly(t *testing.T) {
	j, dir := emptyJournal(t)
	begin(t, j, Create, oldServer)
	now := time.Unix(1000, 0)
	j.Quiet("vm-1", now, 10*time.Second)
	j.Quiet("vm-1", now.Add(time.Hour), 10*time.Second)
	if len(j.Open("vm-1")) != 1 {
		t.Fatal("a call that somebody still waits for was given up")
	}
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	j.Quiet("vm-1", now, 10*time.Second)
	j.Quiet("vm-1", now.Add(9*time.Second), 10*time.Second)
	j.Seen("vm-1") // It showed up as a VM that is being made: the time starts again.
	j.Quiet("vm-1", now.Add(11*time.Second), 10*time.Second)
	j.Quiet("vm-1", now.Add(20*time.Second), 10*time.Second)
	if len(j.Open("vm-1")) != 1 {
		t.Fatal("given up too early")
	}
	j.Quiet("vm-1", now.Add(21*time.Second), 10*time.Second)
	if len(j.Open("vm-1")) != 0 {
		t.Fatal("not given up although libvirtd has answered long enough")
	}
}

func TestJournalKeepsLostCallsAndDropsSeenCreates(t *testing.T) {
	j, _ := emptyJournal(t)
	create, destroy := begin(t, j, Create, oldServer), begin(t, j, Destroy, oldServer)
	j.DropCreates("vm-1")
	if len(j.Open("vm-1")) != 2 {
		t.Fatal("a create whose answer is still to come was dropped")
	}
	j.Lost("vm-1", create)
	j.Lost("vm-1", destroy)
	j.DropCreates("vm-1")
	if left := j.Open("vm-1"); len(left) != 1 || left[0].Kind != Destroy || !left[0].Orphan {
		t.Fatalf("%+v", left)
	}
}

func TestJournalRefusesWhatItCannotWrite(t *testing.T) {
	j, dir := emptyJournal(t)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Begin("vm-1", Create, "1", oldServer, time.Now()); err == nil {
		t.Fatal("a call would have been sent that is not written down")
	}
	if len(j.Open("vm-1")) != 0 {
		t.Fatal("a call that was not sent is open")
	}
	j, _ = emptyJournal(t)
	for range maxCalls {
		begin(t, j, Destroy, oldServer)
	}
	if _, err := j.Begin("vm-1", Destroy, "1", oldServer, time.Now()); err == nil {
		t.Fatal("the journal has no limit")
	}
}
