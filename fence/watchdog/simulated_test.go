package watchdog

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// pretended is a machine with a simulated watchdog; reset is closed when it resets.
func pretended(t *testing.T) (path string, reset chan struct{}) {
	t.Helper()
	path, reset = filepath.Join(t.TempDir(), "watchdog"), make(chan struct{})
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &SimulatedWatchdog{Reset: func() { close(reset) }}
	done := make(chan struct{})
	go func() {
		s.Serve(listener)
		close(done)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		s.Stop()
	})
	return path, reset
}

func TestASimulatedWatchdogResetsWhenItIsNotPetted(t *testing.T) {
	path, reset := pretended(t)
	if !Simulated(path) {
		t.Fatal("its path does not look simulated")
	}
	began := time.Now()
	d, err := armDevice(path, time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.info(); got.Timeout != time.Second || !got.MagicClose || got.NoWayOut ||
		got.Identity != "simulated: a pretended machine's" {
		t.Fatalf("it tells %+v", got)
	}
	for time.Since(began) < 1500*time.Millisecond { // longer than its timeout
		if err := d.pet(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-reset:
			t.Fatal("it resets although it is petted")
		case <-time.After(100 * time.Millisecond):
		}
	}
	// A keeper that dies says nothing, and disarms nothing.
	_ = d.(*simulatedTimer).conn.Close()
	select {
	case <-reset:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody pets it, and it does not reset")
	}
}

func TestASimulatedWatchdogIsDisarmed(t *testing.T) {
	path, reset := pretended(t)
	d, err := armDevice(path, time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.disarm(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reset:
		t.Fatal("it resets after it was disarmed")
	case <-time.After(1200 * time.Millisecond):
	}
}

func TestASimulatedWatchdogThatIsNotAsAsked(t *testing.T) {
	path, _ := pretended(t)
	silent := filepath.Join(t.TempDir(), "silent")
	listener, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for _, c := range []struct {
		what, path string
		timeout    time.Duration
		noWayOut   bool
	}{
		{"half a second", path, 500 * time.Millisecond, false},
		{"more than it takes", path, 2 * time.Hour, false},
		{"nowayout", path, time.Second, true},
		{"a listener that does not answer", silent, time.Second, false},
	} {
		if d, err := armDevice(c.path, c.timeout, c.noWayOut); !errors.Is(err, ErrNotAsAsked) || d != nil {
			t.Errorf("%s: %v, %v", c.what, d, err)
		}
	}
}
