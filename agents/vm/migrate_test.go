//go:build cgo

package vm

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/internal/tunnel"
	"github.com/clusterd/clusterd/resources"
	"github.com/clusterd/clusterd/test/lab"
)

// The tests below move a real guest between two hosts whose libvirtds see the
// same disk. CLUSTERD_TEST_PEER is the tunnel's address on the other host,
// where this binary runs with CLUSTERD_TEST_FORWARD=:PORT and the guest's UUID
// in CLUSTERD_TEST_GUEST; CLUSTERD_TEST_KEYS is a folder with cert.pem and
// key.pem that both can read.
const tunnelDir = "/run/clusterd-test"

type testSecurity struct{ keys string }

func (s testSecurity) config() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.keys+"/cert.pem", s.keys+"/key.pem")
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{tunnel.Protocol},
	}, err
}

func (s testSecurity) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
}

func (testSecurity) Admit(net.Conn, string, string, bool) error { return nil }

func (testSecurity) Guest(string) string { return os.Getenv("CLUSTERD_TEST_GUEST") }

func (s testSecurity) Listen(_ context.Context, address string, _ func(string, error)) (net.Listener, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", address, config)
}

func forwarderConfig(listen string) tunnel.Config {
	// No daemon runs on the other host, for which its forwarder would soon take nothing.
	return tunnel.Config{Dir: tunnelDir, Listen: listen, Security: testSecurity{os.Getenv("CLUSTERD_TEST_KEYS")},
		Deaf: time.Hour}
}

func TestMain(m *testing.M) {
	lab.Reexec()
	if len(os.Args) > 5 && os.Args[1] == "--socket" {
		os.Exit(playDoorkeeper(os.Args[1:]))
	}
	listen := os.Getenv("CLUSTERD_TEST_FORWARD")
	if listen == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := tunnel.RunForwarder(ctx, forwarderConfig(listen)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testTunnel is what the daemon wires: names become addresses.
type testTunnel struct {
	client  *tunnel.Client
	address string
}

func (t testTunnel) Open(ctx context.Context, target, act string) (string, string, error) {
	route, err := t.client.Open(ctx, target, t.address, act)
	return route.APIURI, route.MigrateURI, err
}

func (t testTunnel) Release(act string) { t.client.Release(act) }

func migrating(t *testing.T) (*Agent, resources.Spec, string, testTunnel) {
	t.Helper()
	return migratingIn(t, t.TempDir())
}

func migratingIn(t *testing.T, state string) (*Agent, resources.Spec, string, testTunnel) {
	t.Helper()
	options, spec, definition := realGuest(t)
	peer := os.Getenv("CLUSTERD_TEST_PEER")
	if peer == "" {
		t.Skip("CLUSTERD_TEST_PEER is not set: this test needs a second host with a forwarder")
	}
	t.Setenv("CLUSTERD_TEST_FORWARD", ":7441")
	client, err := tunnel.Ensure(context.Background(), forwarderConfig(":7441"), []string{os.Args[0]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	way := testTunnel{client, peer}
	options.Tunnel, options.StateDir = way, state
	return connected(t, options), spec, definition, way
}

// destroyBoth leaves nothing behind on either host.
func destroyBoth(t *testing.T, a *Agent, spec resources.Spec, way testTunnel) {
	t.Helper()
	ctx := context.Background()
	if result := a.Stop(ctx, agents.Act{Spec: spec, Kill: true}); !result.OK {
		t.Errorf("clean up here: %+v", result)
	}
	there := onTarget(t, a, way)
	defer there.close()
	if err := a.destroy(ctx, there, spec.UUID, "cleanup"); err != nil {
		t.Errorf("clean up there: %v", err)
	}
}

func onTarget(t *testing.T, a *Agent, way testTunnel) *session {
	t.Helper()
	uri, _, err := way.Open(context.Background(), "there", "look")
	if err != nil {
		t.Fatal(err)
	}
	there, err := a.dial(context.Background(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func started(t *testing.T, a *Agent, spec resources.Spec, definition string, way testTunnel) {
	t.Helper()
	if result := a.Start(context.Background(),
		agents.Act{ID: "1.0.0", Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("start: %+v", result)
	}
	t.Cleanup(func() { destroyBoth(t, a, spec, way) })
}

func TestRealMigration(t *testing.T) {
	a, spec, definition, way := migrating(t)
	for round := 1; round <= 3; round++ {
		if result := a.Start(context.Background(),
			agents.Act{ID: "1.0.0", Spec: spec, Definition: definition}); !result.OK {
			t.Fatalf("start: %+v", result)
		}
		pause(context.Background(), 300*time.Millisecond)
		begun := time.Now()
		result := a.Migrate(context.Background(), agents.Act{
			ID: fmt.Sprintf("1.%d.0", round), Spec: spec, Target: "there",
			Progress: func(p agents.Progress) { t.Logf("progress %+v", p) },
		})
		took := time.Since(begun)
		if !result.OK {
			t.Fatalf("migrate: %+v", result)
		}
		var phases []string
		for _, phase := range result.Phases {
			phases = append(phases, fmt.Sprintf("%s +%dms", phase.What, phase.At.Sub(begun).Milliseconds()))
		}
		t.Logf("took %s, total %s, downtime %s: %s", took, result.Total, result.Downtime, strings.Join(phases, ", "))
		destroyBoth(t, a, spec, way)
	}
}
