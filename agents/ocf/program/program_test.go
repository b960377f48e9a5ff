package program

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script writes a program. It is run by its first line, never by us.
func script(t *testing.T, body string) Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Program{Path: path, Limit: 10 * time.Second, Environment: []string{"PATH=/usr/bin:/bin"}}
}

func TestAProgramEndsWithItsCodeAndItsOutput(t *testing.T) {
	p := script(t, `echo "$1"; echo trouble >&2; exit 7`)
	p.Arguments = []string{`monitor; touch "$HOME"`}
	ended := Run(context.Background(), p)
	if ended.Err != nil || ended.Code != 7 || string(ended.Stdout) != p.Arguments[0]+"\n" ||
		string(ended.Stderr) != "trouble\n" {
		t.Errorf("%+v %q %q", ended, ended.Stdout, ended.Stderr)
	}
}

func TestAFloodEndsAndIsToldSo(t *testing.T) {
	ended := Run(context.Background(), script(t, `yes flood; exit 0`))
	if !errors.Is(ended.Err, ErrFlooded) || len(ended.Stdout) > MaxOutput {
		t.Errorf("%v, %d bytes", ended.Err, len(ended.Stdout))
	}
}

func TestAHangingProgramIsKilledWithAllItsGroup(t *testing.T) {
	p := script(t, `sleep 1000 & echo $!; sleep 1000`)
	p.Limit = 300 * time.Millisecond
	var begun Group
	p.Begun = func(g Group) { begun = g }
	ended := Run(context.Background(), p)
	if !ended.Overran || !errors.Is(ended.Err, ErrOverran) || ended.Group != begun {
		t.Errorf("%+v", ended)
	}
	for end := time.Now().Add(5 * time.Second); ended.Group.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a process of the group is alive 5s after it was killed")
		}
	}
	if child, err := strconv.Atoi(strings.TrimSpace(string(ended.Stdout))); err != nil {
		t.Error(err)
	} else if stat, err := readStat(child); err == nil && stat.state != 'Z' {
		t.Errorf("the child %d is alive", child)
	}
}

// What an agent leaves behind is the service. Its end must not wait for it, and
// what it prints must not kill it.
func TestChildrenThatStayAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	p := script(t, `(sleep 0.3; echo still here; echo $? >`+dir+`/told; sleep 1000) & echo $!`)
	ended := Run(context.Background(), p)
	if ended.Err != nil || ended.Code != 0 || !ended.Group.Alive() {
		t.Fatalf("%+v", ended)
	}
	defer ended.Group.Kill()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dir + "/told"); err == nil && ended.Group.Alive() {
			return // it got an error for its print, and no signal
		}
		if time.Now().After(end) {
			t.Fatal("the child that stayed did not go on after it printed")
		}
	}
}

func TestASignalIsNoExitCode(t *testing.T) {
	if ended := Run(context.Background(), script(t, `kill -9 $$`)); ended.Err == nil || ended.Overran {
		t.Errorf("%+v", ended)
	}
}

func TestWhatIsNotThereCannotBeRun(t *testing.T) {
	if ended := Run(context.Background(), Program{Path: "/nonexistent", Limit: time.Second}); ended.Err == nil ||
		ended.Group.Alive() {
		t.Errorf("%+v", ended)
	}
}

// The daemon's files are private, those of a service are not.
func TestChildrenHaveTheUmaskOfServices(t *testing.T) {
	if ended := Run(context.Background(), script(t, "umask")); strings.TrimSpace(string(ended.Stdout)) != "0022" {
		t.Errorf("umask %s", ended.Stdout)
	}
}

func TestAPlaceHoldsWhatStaysAndClearsIt(t *testing.T) {
	places, err := NewPlaces("clusterd-test-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Skip(err)
	}
	shop := Home{Key: "shop", Title: "service:shop"}
	defer os.Remove(places.root)
	defer places.Remove(shop)
	p := script(t, "setsid sleep 1000 & echo $!")
	if p.Place, err = places.Open(shop); err != nil {
		t.Fatal(err)
	}
	defer p.Place.Close()
	if ended := Run(context.Background(), p); ended.Err != nil {
		t.Fatal(ended.Err)
	}
	if len(places.Processes(shop)) != 1 {
		t.Errorf("in the place: %v", places.Processes(shop))
	}
	places.Clear(shop, 5*time.Second)
	if left := places.Processes(shop); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestANumberGivenAgainIsAnotherGroup(t *testing.T) {
	self := groupOf(os.Getpid())
	self.Born++
	if self.Alive() {
		t.Error("another process counts as the group's leader")
	}
}
