package power

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
)

func TestFenceKeepsItsDeadlineAgainstADeafBMC(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{Deaf: true})
		result := d.Fence(within(t, 1200*time.Millisecond), requestFor(d, b.Address()))
		expect(t, result, fence.Unknown, "does not answer")
		if result.Duration > 1500*time.Millisecond {
			t.Errorf("took %v, the deadline was 1.2 s", result.Duration)
		}
	})
}

func TestFenceGivesUpADeafBMCLongBeforeALongDeadline(t *testing.T) {
	forEachKind(t, func(t *testing.T, d *driver) {
		b := startBMC(t, nil)
		b.SetFaults(bmc.Faults{Deaf: true})
		result := d.Fence(within(t, 30*time.Second), requestFor(d, b.Address()))
		expect(t, result, fence.Unknown, "does not answer")
		if result.Duration > 8*time.Second {
			t.Errorf("took %v; another node should have its turn by then", result.Duration)
		}
	})
}

// hungHand ignores its context altogether, as some libraries do.
type hungHand struct {
	hand
	until chan struct{}
}

func (h hungHand) Open(context.Context) error {
	<-h.until
	return nil
}

func TestFenceKeepsItsDeadlineAgainstAProviderThatIgnoresIt(t *testing.T) {
	t.Parallel()
	d := newDriver(KindIPMI, Options{})
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	d.hand = func(s settings, g gate) hand { return hungHand{newPureHand(s, g), release} }
	started := time.Now()
	expect(t, d.Fence(within(t, 200*time.Millisecond), requestFor(d, "127.0.0.1:9")), fence.Unknown)
	if took := time.Since(started); took > time.Second {
		t.Errorf("took %v, the deadline was 200 ms", took)
	}
}

func TestHungCallsAreLimited(t *testing.T) {
	t.Parallel()
	c := newCalls(slog.New(slog.NewTextHandler(io.Discard, nil)))
	release, begun := make(chan struct{}), make(chan struct{}, maxCalls)
	t.Cleanup(func() { close(release) })
	hang := func(context.Context) (bool, error) {
		begun <- struct{}{}
		<-release
		return true, nil
	}
	over, cancel := context.WithCancel(t.Context())
	for range maxCalls {
		go func() { _, _ = bounded(over, c, "hang", hang) }()
	}
	for range maxCalls {
		<-begun
	}
	cancel()
	if _, err := bounded(t.Context(), c, "one more", hang); !errors.Is(err, errTooManyCalls) {
		t.Fatalf("got %v, want %v", err, errTooManyCalls)
	}
}
