package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/pki"
)

// measure is what a node tells a monitoring system: values by metric and labels, as they are
// written.
func (s *site) measure(at string) map[string]float64 {
	s.t.Helper()
	_, text := s.ask(at, anybody, "GET", api.PathMetrics, nil)
	values := map[string]float64{}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, found := strings.Cut(line, " ")
		if number, err := strconv.ParseFloat(value, 64); found && err == nil && strings.HasPrefix(name, "clusterd_") {
			values[strings.TrimPrefix(name, "clusterd_")] = number
		}
	}
	return values
}

// TestMetricsTellOfAFailoverAndNothingWithoutAQuorum: each node tells what it knows, and the one
// that is cut off leaves out what it cannot know.
func TestMetricsTellOfAFailoverAndNothingWithoutAQuorum(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		s.declare(map[string]string{"vm:a": leader})
		for _, name := range threeNodes {
			s.expectMeasured(name, map[string]float64{"has_quorum": 1, "state_current": 1, `services{state="started"}`: 1,
				"leading": truth(name == leader), "failover_seconds_count": 0})
		}
		others := s.followers()
		s.world.setUnproven(leader, true) // so that it stays up to be looked at
		s.isolate(leader)
		s.until("a new leader", func() bool { return s.measure(others[0])["leader_changes_total"] > 1 })
		time.Sleep(3 * time.Second)
		got := s.measure(leader)
		if got["has_quorum"] != 0 || got["state_current"] != 0 || got[`node_last_heard_seconds{node="`+others[0]+`"}`] < 2 {
			t.Errorf("the node that is cut off tells %v", got)
		}
		for name := range got {
			if strings.HasPrefix(name, "services") || strings.HasPrefix(name, "node_online") {
				t.Errorf("the node that is cut off tells %s", name)
			}
		}
		s.world.setUnproven(leader, false)
		s.until("the service runs elsewhere", func() bool {
			return s.service(others[0], "vm:a").Owner != leader &&
				s.service(others[0], "vm:a").Owner != "" && s.service(others[0], "vm:a").Intent == nil
		})
		for _, name := range others {
			s.expectMeasured(name, map[string]float64{"failover_seconds_count": 1, "state_current": 1,
				`fences_total{drill="false",ending="confirmed"}`: 1})
		}
	})
}

func (s *site) expectMeasured(at string, want map[string]float64) {
	s.t.Helper()
	got := s.measure(at)
	for name, value := range want {
		if is, told := got[name]; !told || is != value {
			s.t.Errorf("%s tells of %s %v (told: %v), want %v", at, name, is, told, value)
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// piped is a listener whose connections are pipes.
type piped struct{ connections, closed chan net.Conn }

func (p piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p piped) Close() error {
	close(p.closed)
	return nil
}

func (p piped) Addr() net.Addr { return &net.TCPAddr{} }

// pairOf makes a key, and has the request for its certificate signed.
func (s *site) pairOf(user string, sign func(request []byte) string) tls.Certificate {
	s.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := pki.NewRequest(key, user)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := key.PEM()
	if err != nil {
		s.t.Fatal(err)
	}
	own, err := tls.X509KeyPair([]byte(sign(request)), secret)
	if err != nil {
		s.t.Fatal(err)
	}
	return own
}

// viewerOf is a certificate that may look, made by a node.
func (s *site) viewerOf(at, user string) tls.Certificate {
	s.t.Helper()
	return s.pairOf(user, func(request []byte) string {
		var reply api.ClientReply
		s.must(at, rootUser, "POST", api.PathClient,
			api.ClientRequest{User: user, Role: "viewer", Request: string(request)}, &reply)
		return reply.Certificate
	})
}

// unrecordedAt is a certificate that the authority signed, and that the cluster did not record.
func (s *site) unrecordedAt(at, user string) tls.Certificate {
	s.t.Helper()
	return s.pairOf(user, func(request []byte) string {
		d := s.members[at].daemon
		ca, err := d.vault.Authority(d.replica.Root())
		if err != nil {
			s.t.Fatal(err)
		}
		chain, err := ca.SignClient(request, user, pki.RoleAdmin, time.Now(), time.Hour)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(chain)
	})
}

// TestMetricsAreReadByACertificateThatMayLook: off the loopback nobody gets through the handshake
// whose certificate the authority did not sign; one that was not recorded or is revoked is refused,
// which the trail tells.
func TestMetricsAreReadByACertificateThatMayLook(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		own, d := s.viewerOf(leader, "prometheus"), s.members[leader].daemon
		listener := piped{make(chan net.Conn), make(chan net.Conn)}
		server := metrics.NewServer(d.metrics, d.mayMeasure, d.logger)
		served := make(chan error)
		go func() { served <- server.Serve(tls.NewListener(listener, d.metricsDoor())) }()
		get := func(from *http.Transport) (int, error) {
			answer, err := (&http.Client{Transport: from}).Get("https://node" + metrics.Path)
			if err != nil {
				return 0, err
			}
			return answer.StatusCode, answer.Body.Close()
		}
		comes := func(certificates ...tls.Certificate) *http.Transport {
			return &http.Transport{
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					listener.connections <- there
					return here, nil
				},
				TLSClientConfig: &tls.Config{Certificates: certificates, InsecureSkipVerify: true},
			}
		}
		viewer, stranger, forged := comes(own), comes(), comes(s.unrecordedAt(leader, "mallory"))
		told := func(why string) {
			trail := s.trail(leader)
			if last := trail[len(trail)-1]; last.Act != "read the metrics" || !strings.Contains(last.Result, why) {
				t.Errorf("the trail ends with %+v, want %q", last, why)
			}
		}
		if code, err := get(viewer); code != http.StatusOK {
			t.Errorf("a viewer is answered with %d, %v", code, err)
		}
		if code, err := get(stranger); err == nil {
			t.Errorf("somebody without a certificate is answered with %d", code)
		}
		if code, err := get(forged); code != http.StatusForbidden {
			t.Errorf("one that was not recorded is answered with %d, %v", code, err)
		}
		told("its key is not one that the cluster recorded")
		s.must(leader, rootUser, "POST", api.PathClient, api.ClientRequest{User: "prometheus", Revoke: true},
			&api.ClientReply{})
		if code, err := get(viewer); err == nil && code != http.StatusForbidden {
			t.Errorf("a viewer that was revoked is answered with %d", code)
		}
		told("removed")
		viewer.CloseIdleConnections()
		stranger.CloseIdleConnections()
		forged.CloseIdleConnections()
		if err := errors.Join(server.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}
