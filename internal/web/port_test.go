package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

func certificateOf(t *testing.T) *tls.Certificate {
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
	return &tls.Certificate{Certificate: [][]byte{made}, PrivateKey: key}
}

// kept is a node whose page is served as the test says.
type kept struct {
	*node
	t        *testing.T
	problems chan string

	lock   sync.Mutex
	wanted *cluster.Web
}

// keep serves the page until the returned function is called.
func keep(t *testing.T) (k *kept, stop func()) {
	t.Helper()
	k = &kept{node: newNode(), t: t, problems: make(chan string, 64)}
	certificate := certificateOf(t)
	ctx, end := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		k.Keep(ctx, Port{
			Wanted: func() *cluster.Web {
				k.lock.Lock()
				defer k.lock.Unlock()
				return k.wanted
			},
			Host:        "127.0.0.1",
			Certificate: func(cluster.Web) (*tls.Certificate, error) { return certificate, nil },
			Problem:     func(text string) { k.problems <- text },
		})
	})
	k.told("") // of the first look, at a document that says nothing of it: later words are of what a test does
	return k, func() {
		end()
		done.Wait()
	}
}

// want has the document say where the page is; nowhere where that is empty.
func (k *kept) want(listen string) {
	k.lock.Lock()
	k.wanted = nil
	if listen != "" {
		k.wanted = &cluster.Web{Listen: listen}
	}
	k.lock.Unlock()
	k.is(quiet)
}

// told waits for a problem with these words; with none, for the word that there is no problem.
func (k *kept) told(part string) {
	k.t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		select {
		case problem := <-k.problems:
			if part == "" && problem == "" || part != "" && strings.Contains(problem, part) {
				return
			}
		case <-deadline:
			k.t.Fatalf("nobody told %q", part)
		}
	}
}

// reaches says why no browser gets the page at a port; nil where one does.
func reaches(port string) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := client.Get("https://127.0.0.1" + port + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.TLS.Version != tls.VersionTLS13 {
		return errors.New(answer.Status)
	}
	return nil
}

// TestThePortFollowsTheDocument: it is opened, moved and shut as the document says, and what keeps
// it shut is told.
func TestThePortFollowsTheDocument(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	k, stop := keep(t)
	_, busy, _ := net.SplitHostPort(taken.Addr().String())
	k.want(":" + busy)
	k.told("address already in use")
	port := freePort(t)
	k.want(port)
	k.told("")
	if err := reaches(port); err != nil {
		t.Errorf("it is not served: %v", err)
	}
	k.want("")
	k.told("")
	if err := reaches(port); err == nil {
		t.Error("it is served although the document says nothing of it")
	}
	k.want(port)
	k.told("")
	stop()
	if err := reaches(port); err == nil {
		t.Error("it is served after its end")
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return ":" + port
}

func TestWhereAPageIsReached(t *testing.T) {
	for listen, want := range map[string]string{
		":7444": "10.0.0.1:7444", "0.0.0.0:7444": "10.0.0.1:7444", "[::]:7444": "10.0.0.1:7444",
		"10.9.9.9:443": "10.9.9.9:443",
	} {
		if got := Address(&cluster.Web{Listen: listen}, "10.0.0.1"); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}

// TestStrangersEndNoVisitorsConnection: as many silent ones as there are places, each from another
// address, and then he asks again, on the connection that he had.
func TestStrangersEndNoVisitorsConnection(t *testing.T) {
	k, stop := keep(t)
	defer stop()
	port := freePort(t)
	k.want(port)
	k.told("")
	cookie, _ := k.logIn(t, alice)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	reused := false
	look := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://127.0.0.1"+port+pathVisit, nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
		answer, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal("a visitor is not answered:", err)
		}
		if answer.Body.Close(); answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
			t.Errorf("he is answered %s by %s", answer.Status, answer.Proto)
		}
	}
	look()
	for i := range bounds.Strangers.Most + 20 {
		from := net.TCPAddr{IP: net.IPv4(127, 0, 1+byte(i/200), 1+byte(i%200))}
		c, err := (&net.Dialer{LocalAddr: &from}).DialContext(t.Context(), "tcp", "127.0.0.1"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	look()
	if !reused {
		t.Error("strangers ended his connection")
	}
}

// TestThePagesPortPacesHandshakes: of one address that goes on failing, most are not begun.
func TestThePagesPortPacesHandshakes(t *testing.T) {
	k, stop := keep(t)
	defer stop()
	port := freePort(t)
	k.want(port)
	k.told("")
	begun, since := 0, time.Now()
	for range 4 * int(bounds.Burst) {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1"+port)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		// A port that begins the handshake says that this is none.
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err == nil {
			begun++
		}
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	most := int(bounds.Burst) + 2 + int(bounds.Rate*time.Since(since).Seconds())
	if begun == 0 || begun > most {
		t.Errorf("%d handshakes were begun, want 1 to %d", begun, most)
	}
}
