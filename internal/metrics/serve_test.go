package metrics

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var silent = slog.New(slog.DiscardHandler)

func TestOffTheLoopbackNothingIsServedWithoutTLS(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:9744"} {
		if _, err := Listen(address, nil, silent); err == nil || !strings.Contains(err.Error(), "only a loopback address") {
			t.Errorf("%s: %v", address, err)
		}
	}
	listener, err := Listen("0.0.0.0:0", &tls.Config{}, silent)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := strings.Replace(listener.Addr().String(), "[::]", "127.0.0.1", 1)
	go func() {
		if connection, err := listener.Accept(); err == nil {
			_, _ = connection.Read(make([]byte, 1)) // the handshake, which fails
			connection.Close()
		}
	}()
	if answer, err := http.Get("http://" + address + Path); err == nil {
		answer.Body.Close()
		t.Errorf("a request in the clear was answered with %s", answer.Status)
	}
}

func TestWhoMayNotLookIsRefusedAtEachRequest(t *testing.T) {
	var refusal error
	m := New(func(context.Context) Facts { return busy(t, 1) })
	server := NewServer(m, func(*http.Request) (string, error) { return "", refusal }, silent)
	listener, err := Listen("127.0.0.1:0", nil, silent)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	get := func(method, path string) (int, string) {
		request, _ := http.NewRequest(method, "http://"+listener.Addr().String()+path, nil)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if code, body := get("GET", Path); code != http.StatusOK || !strings.Contains(body, "\nclusterd_has_quorum 1\n") {
		t.Errorf("%d: %s", code, body)
	}
	if code, _ := get("POST", Path); code != http.StatusMethodNotAllowed {
		t.Errorf("a change is answered with %d", code)
	}
	if code, _ := get("GET", "/v1/status"); code != http.StatusNotFound {
		t.Errorf("another page is answered with %d", code)
	}
	refusal = errors.New("alice was revoked")
	if code, body := get("GET", Path); code != http.StatusForbidden || body != "Permission denied: alice was revoked\n" {
		t.Errorf("%d: %s", code, body)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// certificate is one for both ends of a test.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}
}

// book is a log that a test reads.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *book) lines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), "\n")
}

// open serves metrics to who shows a certificate.
func open(t *testing.T) (port string, own tls.Certificate, written *book) {
	t.Helper()
	own, written = certificate(t), &book{}
	logger := slog.New(slog.NewTextHandler(written, nil))
	listener, err := Listen("0.0.0.0:0", &tls.Config{Certificates: []tls.Certificate{own},
		ClientAuth: tls.RequireAnyClientCert}, logger)
	if err != nil {
		t.Fatal(err)
	}
	m := New(func(context.Context) Facts { return busy(t, 1) })
	server := NewServer(m, func(*http.Request) (string, error) { return "certificate 1", nil }, logger)
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.http.Close()
		<-served
	})
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, own, written
}

// knock connects from an address of this host.
func knock(t *testing.T, from, port string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestSilenceBlindsNoMonitoringSystem: connections that say nothing, of one address or of many,
// keep nobody out who has a certificate, and end nothing that he has open.
func TestSilenceBlindsNoMonitoringSystem(t *testing.T) {
	port, own, _ := open(t)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{own},
		InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	reused := false
	scraped := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		request, _ := http.NewRequestWithContext(ctx, "GET", "https://127.0.0.1:"+port+Path, nil)
		answer, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal("a monitoring system is not answered:", err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("it is answered %s, %v", answer.Status, err)
		}
	}
	for range 2 * mostStrangers {
		knock(t, "127.0.0.2", port)
	}
	scraped()
	for i := range 2 * mostStrangers {
		knock(t, "127.0.1."+strconv.Itoa(1+i), port)
	}
	scraped()
	if !reused {
		t.Error("strangers ended its connection")
	}
}

// TestStrangersLeaveFewLines: whoever goes on failing at the handshake writes the log no longer.
func TestStrangersLeaveFewLines(t *testing.T) {
	port, _, written := open(t)
	for i := range 200 {
		c := knock(t, "127.0.2."+strconv.Itoa(1+i), port)
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, c) // until the port has had enough of it
	}
	if lines := written.lines(); lines == 0 || lines > 40 {
		t.Errorf("200 strangers left %d lines", lines)
	}
}

// TestOneAddressBeginsOnlySoManyHandshakes: the rest is not even answered.
func TestOneAddressBeginsOnlySoManyHandshakes(t *testing.T) {
	port, own, _ := open(t)
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS13}
	begun, since := 0, time.Now()
	for range 4 * strangersBurst {
		c := knock(t, "127.0.0.2", port)
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		// Without a certificate the handshake of TLS 1.3 fails after the port has shown its own.
		secured := tls.Client(c, config)
		if secured.Handshake() == nil {
			begun++
			_, _ = secured.Read(make([]byte, 1))
		}
		secured.Close()
	}
	most := strangersBurst + ofOneAddress + int(strangersRate*time.Since(since).Seconds())
	if begun > most {
		t.Errorf("%d handshakes of one address were begun, want %d at most", begun, most)
	}
	config.Certificates = []tls.Certificate{own}
	if err := tls.Client(knock(t, "127.0.0.3", port), config).Handshake(); err != nil {
		t.Error("another address is not let in:", err)
	}
}
