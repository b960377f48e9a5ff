package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
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
	k.told("")
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
