package metrics

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestOffTheLoopbackNothingIsServedWithoutTLS(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:9744"} {
		if _, err := Listen(address, nil); err == nil || !strings.Contains(err.Error(), "only a loopback address") {
			t.Errorf("%s: %v", address, err)
		}
	}
	listener, err := Listen("0.0.0.0:0", &tls.Config{})
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
	server := NewServer(m, func(*tls.ConnectionState) error { return refusal })
	listener, err := Listen("127.0.0.1:0", nil)
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
