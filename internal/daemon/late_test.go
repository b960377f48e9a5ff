package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/config/nodefile"
)

func TestADaemonWaitsForAnAddressThatComesLate(t *testing.T) {
	for _, why := range []error{os.NewSyscallError("bind", syscall.EADDRNOTAVAIL),
		&net.DNSError{Err: "server misbehaving", Name: "node1", IsTemporary: true}} {
		comesLateBecause(t, &net.OpError{Op: "listen", Err: why})
	}
}

func comesLateBecause(t *testing.T, missing error) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		d := &Daemon{name: "node1", logger: slog.New(slog.NewTextHandler(&log, nil)),
			options: Options{Node: nodefile.Node{Address: "10.0.0.1"}}}
		began, tries := time.Now(), 0
		got, err := patiently(t.Context(), d, "the other nodes", func() (int, error) {
			if tries++; time.Since(began) < 5*time.Minute {
				return 0, missing
			}
			return 7, nil
		})
		if got != 7 || err != nil || tries > 602 {
			t.Errorf("%d, %v after %d tries", got, err, tries)
		}
		if lines := strings.Count(log.String(), "does not have the address"); lines < 3 || lines > 6 {
			t.Errorf("it was told %d times in five minutes", lines)
		}
		other := errors.New("permission denied")
		if _, err := patiently(t.Context(), d, "", func() (int, error) { return 0, other }); !errors.Is(err, other) {
			t.Errorf("another fault is waited out: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := patiently(ctx, d, "", func() (int, error) { return 0, missing }); !errors.Is(err, context.Canceled) {
			t.Errorf("it does not stop: %v", err)
		}
	})
}
