package fencevm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// longestLife bounds a machine, whatever the test does.
	longestLife = 4 * time.Minute
	// longestBoot is generous: without KVM a busy host takes its time.
	longestBoot = 90 * time.Second
	// longestAnswer bounds one command.
	longestAnswer = 60 * time.Second
)

// machine is a QEMU machine that answers commands on a serial line.
type machine struct {
	t       *testing.T
	name    string
	console string
	program *exec.Cmd
	input   io.Writer
	answers chan string
	events  chan string
	// ended is closed when QEMU has ended; a reset ends it too.
	ended chan struct{}

	mu      sync.Mutex
	endedAt time.Time
}

// start boots a machine and waits until its program is ready.
func (b *bench) start(name, words string, arguments ...string) *machine {
	b.t.Helper()
	m := b.launch(name, words, arguments...)
	m.awaitEvent("ready", longestBoot)
	return m
}

// launch boots a machine; the caller waits for the event "ready".
func (b *bench) launch(name, words string, arguments ...string) *machine {
	b.t.Helper()
	m := &machine{
		t: b.t, name: name, console: filepath.Join(b.dir, name+".console"),
		answers: make(chan string, 1), events: make(chan string, 64), ended: make(chan struct{}),
	}
	arguments = append([]string{
		"-accel", "tcg", "-cpu", "max", "-m", "320", "-smp", "1", "-display", "none", "-no-reboot", "-nodefaults",
		"-no-user-config",
		"-serial", "file:" + m.console, "-serial", "stdio", "-kernel", b.kernel.image, "-initrd", b.initramfs,
		"-append", "console=ttyS0 quiet panic=-1 loglevel=4 name=" + name + " " + words,
	}, arguments...)
	argv := append(append([]string{}, b.prefix...), append([]string{"qemu-system-x86_64"}, arguments...)...)
	m.program = exec.Command(argv[0], argv[1:]...)
	m.program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	input, err := m.program.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	output, err := m.program.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	complaints, err := os.Create(m.console + ".qemu")
	if err != nil {
		b.t.Fatal(err)
	}
	m.program.Stderr = complaints
	if err := m.program.Start(); err != nil {
		b.t.Fatal(err)
	}
	_ = complaints.Close()
	m.input = input
	limit := time.AfterFunc(longestLife, m.kill)
	go m.listen(output)
	b.t.Cleanup(func() {
		limit.Stop()
		m.kill()
		<-m.ended
		m.tellOnFailure()
	})
	return m
}

// listen sorts what the machine says into answers and events until it ends.
func (m *machine) listen(output io.Reader) {
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		kind, rest, _ := strings.Cut(strings.TrimSpace(scanner.Text()), " ")
		switch kind {
		case "ok", "failed":
			m.answers <- kind + " " + rest
		case "event":
			select {
			case m.events <- rest:
			default:
			}
		}
	}
	_ = m.program.Wait()
	m.mu.Lock()
	m.endedAt = time.Now()
	m.mu.Unlock()
	close(m.ended)
}

// kill ends QEMU, also one that was frozen.
func (m *machine) kill() {
	_ = syscall.Kill(-m.program.Process.Pid, syscall.SIGKILL)
}

func (m *machine) freeze() { m.signal(syscall.SIGSTOP) }
func (m *machine) thaw()   { m.signal(syscall.SIGCONT) }

func (m *machine) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.program.Process.Signal(s); err != nil {
		m.t.Fatalf("%s: %v", m.name, err)
	}
}

// try sends a command and returns its answer, and whether it was done.
func (m *machine) try(command string) (string, bool) {
	m.t.Helper()
	m.send(command)
	return m.answer(command)
}

// send sends a command whose answer the test fetches later.
func (m *machine) send(command string) {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.input, command); err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, command, err)
	}
}

func (m *machine) answer(command string) (string, bool) {
	m.t.Helper()
	select {
	case answer := <-m.answers:
		kind, rest, _ := strings.Cut(answer, " ")
		m.t.Logf("%s: %s: %s", m.name, command, answer)
		return rest, kind == "ok"
	case <-m.ended:
		m.t.Fatalf("%s ended before it answered %q", m.name, command)
	case <-time.After(longestAnswer):
		m.t.Fatalf("%s did not answer %q within %v", m.name, command, longestAnswer)
	}
	return "", false
}

// must sends a command that has to be done.
func (m *machine) must(command string) string {
	m.t.Helper()
	answer, done := m.try(command)
	if !done {
		m.t.Fatalf("%s: %s: %s", m.name, command, answer)
	}
	return answer
}

// ask reads an answer as JSON.
func ask[T any](m *machine, command string) T {
	m.t.Helper()
	m.send(command)
	return answerOf[T](m, command)
}

// answerOf reads the answer to a command that was sent.
func answerOf[T any](m *machine, command string) T {
	m.t.Helper()
	var value T
	answer, done := m.answer(command)
	if !done {
		m.t.Fatalf("%s: %s: %s", m.name, command, answer)
	}
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, command, err)
	}
	return value
}

// awaitEvent returns the first event that begins so.
func (m *machine) awaitEvent(begins string, limit time.Duration) string {
	m.t.Helper()
	deadline := time.After(limit)
	for {
		select {
		case event := <-m.events:
			m.t.Logf("%s: event %s", m.name, event)
			if strings.HasPrefix(event, begins) {
				return event
			}
		case <-m.ended:
			m.t.Fatalf("%s ended, and %q had not come", m.name, begins)
		case <-deadline:
			m.t.Fatalf("%s: %q did not come within %v", m.name, begins, limit)
		}
	}
}

// awaitReset returns when the machine was reset.
func (m *machine) awaitReset(limit time.Duration) time.Time {
	m.t.Helper()
	select {
	case <-m.ended:
	case <-time.After(limit):
		m.t.Fatalf("%s was not reset within %v", m.name, limit)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endedAt
}

// alive fails the test when the machine has ended.
func (m *machine) alive() {
	m.t.Helper()
	select {
	case <-m.ended:
		m.t.Fatalf("%s was reset and should not have been", m.name)
	default:
	}
}

// tellOnFailure shows the end of the machine's console.
func (m *machine) tellOnFailure() {
	if !m.t.Failed() {
		return
	}
	for _, file := range []string{m.console, m.console + ".qemu"} {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			m.t.Logf("%s:\n%s", filepath.Base(file), text[max(0, len(text)-3000):])
		}
	}
}
