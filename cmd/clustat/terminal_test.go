package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/internal/cli"
)

// terminal is a pseudo terminal: what is typed and read at the one end, and the
// file that a tool has at the other.
type terminal struct {
	t     *testing.T
	user  *os.File
	tool  *os.File
	mu    sync.Mutex
	shown strings.Builder
}

func openTerminal(t *testing.T, columns, lines uint16) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tool, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { tool.Close() })
	term := &terminal{t: t, user: user, tool: tool}
	term.resize(columns, lines)
	go func() {
		text := make([]byte, 4096)
		for {
			n, err := user.Read(text)
			if err != nil {
				return
			}
			term.mu.Lock()
			term.shown.Write(text[:n])
			term.mu.Unlock()
		}
	}()
	return term
}

func (term *terminal) resize(columns, lines uint16) {
	term.t.Helper()
	if err := unix.IoctlSetWinsize(int(term.user.Fd()), unix.TIOCSWINSZ,
		&unix.Winsize{Col: columns, Row: lines}); err != nil {
		term.t.Fatal(err)
	}
}

func (term *terminal) settings() unix.Termios {
	term.t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.tool.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return *settings
}

// await waits until something was shown so many times.
func (term *terminal) await(text string, times int) {
	term.t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		term.mu.Lock()
		count := strings.Count(term.shown.String(), text)
		term.mu.Unlock()
		if count >= times {
			return
		}
	}
	term.t.Fatalf("%q was not shown %d times: %q", text, times, term.shown.String())
}

// repeated runs clustat -i on the terminal; the channel has its exit code.
func (term *terminal) repeated(d *daemon, seconds string) chan int {
	ended := make(chan int, 1)
	tool := tool{in: term.tool, out: term.tool, errOut: term.tool,
		screen: func() cli.Screen { return cli.ScreenOf(term.tool) }}
	go func() { ended <- tool.run(term.t.Context(), []string{"--socket", d.socket, "-i", seconds}) }()
	return ended
}

func TestTheTerminalIsGivenBackAsItWas(t *testing.T) {
	for name, key := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			d := start(t, &daemon{status: alpha()})
			term := openTerminal(t, 80, 24)
			before := term.settings()
			ended := term.repeated(d, "1")
			term.await(eraseRest, 2)
			if term.settings().Lflag&unix.ICANON != 0 {
				t.Error("keys would only come with the next line")
			}
			if _, err := term.user.WriteString("x" + key); err != nil {
				t.Fatal(err)
			}
			if code := <-ended; code != 0 {
				t.Errorf("exit code %d", code)
			}
			term.await(leavePage, 1)
			if after := term.settings(); after != before {
				t.Errorf("the terminal was %+v and is %+v", before, after)
			}
		})
	}
}

func TestANewSizeIsDrawnAtOnce(t *testing.T) {
	d := start(t, &daemon{status: alpha()})
	term := openTerminal(t, 80, 24)
	ended := term.repeated(d, "3600")
	term.await(eraseRest, 1)
	term.resize(100, 5)
	// The kernel tells the terminal's own processes; this one is none of them.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	term.await("lines 1-4 of 13", 1)
	for i, typed := range []string{"\x1b[B", "\x1b[6~", "\x1b[A", "\x1b[H", "\x1b[F"} {
		if _, err := term.user.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		where := []string{"lines 2-5 of", "lines 5-8 of", "lines 4-7 of", "lines 1-4 of", "lines 10-13 of"}[i]
		term.await(where, []int{1, 1, 1, 2, 1}[i])
	}
	if _, err := term.user.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	<-ended
}
