package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// The ports for people and for monitoring systems: what a crowd does there, and what everybody else
// wants of them meanwhile.

// outside is an address of this host that is not the loopback, where metrics are served by TLS; the
// loopback where there is none.
func outside(node string) string {
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if ip, is := address.(*net.IPNet); is && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	return "127.0.0." + strings.TrimPrefix(node, "node")
}

// freeAt finds a port that is free on all these addresses.
func freeAt(hosts ...string) (int, error) {
	for range 50 {
		first, err := net.Listen("tcp", net.JoinHostPort(hosts[0], "0"))
		if err != nil {
			return 0, err
		}
		port, free := first.Addr().(*net.TCPAddr).Port, true
		for _, host := range hosts[1:] {
			other, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if free = err == nil; !free {
				break
			}
			other.Close()
		}
		first.Close()
		if free {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port is free on all of %v", hosts)
}

// browser is somebody at the page, from an address of his own.
func browser(number byte, most int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext:     from(number).DialContext,
		MaxConnsPerHost: most, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

// logIn uses up a login link of a node, and returns the cookie of the visit.
func (t *town) logIn(ctx context.Context, node, role, name string) (cookie string, err error) {
	making := t.Command(ctx, node, "clusterd", "web", "login", "--role", role, "--name", name)
	link, err := making.Output()
	if err != nil {
		return "", fmt.Errorf("make a login link: %w", err)
	}
	_, secret, found := strings.Cut(strings.TrimSpace(string(link)), "#login=")
	body, err := json.Marshal(map[string]string{"secret": secret})
	if err != nil || !found {
		return "", fmt.Errorf("the login link holds no secret (%v)", err)
	}
	visitor := browser(98, 1)
	defer visitor.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+t.page(node)+"/page/login",
		bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	answer, err := visitor.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	for _, set := range answer.Cookies() {
		return set.Name + "=" + set.Value, nil
	}
	return "", fmt.Errorf("the login is answered %s", answer.Status)
}

func (t *town) page(node string) string {
	return net.JoinHostPort("127.0.0."+strings.TrimPrefix(node, "node"), strconv.Itoa(t.pagePort))
}

// admitsVisitor wants an administrator to log in at the page, and its stream to tell him something.
func admitsVisitor(ctx context.Context, t *town) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cookie, err := t.logIn(ctx, "node2", "admin", "carol")
	if err != nil {
		return fmt.Errorf("an administrator cannot log in at the page: %w", err)
	}
	visitor := browser(98, 1)
	defer visitor.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+t.page("node2")+"/page/stream", http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Cookie", cookie)
	answer, err := visitor.Do(request)
	if err != nil {
		return fmt.Errorf("an administrator's page is told nothing: %w", err)
	}
	defer answer.Body.Close()
	told := make([]byte, 16)
	if _, err := io.ReadFull(answer.Body, told); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("an administrator's page is told %s %q (%v)", answer.Status, told, err)
	}
	return nil
}

// answersMonitor wants a monitoring system with a viewer's certificate to be answered.
func answersMonitor(ctx context.Context, t *town) error {
	viewer, err := loadClient(t.viewer())
	if err != nil {
		return err
	}
	key, err := viewer.Key.PEM()
	if err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(viewer.ChainPEM(), key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: from(97).DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
		Certificates: []tls.Certificate{certificate}}}
	defer transport.CloseIdleConnections()
	scheme := "https://"
	if strings.HasPrefix(t.metrics["node2"], "127.") {
		scheme = "http://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+t.metrics["node2"]+"/metrics", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("a monitoring system gets no answer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "clusterd_has_quorum") {
		return fmt.Errorf("a monitoring system is answered %s %.100s (%v)", answer.Status, text, err)
	}
	return nil
}

// portSlots takes connections of the page and of the metrics: some are silent, some send what is no
// handshake, and all come again at once.
func portSlots(ctx context.Context, c crowdOf) error {
	ports := map[string]string{}
	for node, address := range c.Pages {
		ports["page of "+node], ports["metrics of "+node] = address, c.Metrics[node]
	}
	return everywhere(ctx, ports, func(ctx context.Context, which string) error {
		turn := make(chan bool, 1)
		turn <- true
		return openly(ctx, 100, func() (net.Conn, error) { return elsewhere.DialContext(ctx, "tcp", ports[which]) },
			func(conn net.Conn) {
				loud := <-turn
				turn <- !loud
				if loud {
					io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
				}
				conn.SetReadDeadline(time.Now().Add(time.Minute))
				conn.Read(make([]byte, 64))
			})
	})
}

// logins tries secrets of links that are none.
func logins(ctx context.Context, c crowdOf) error {
	return everywhere(ctx, c.Pages, func(ctx context.Context, node string) error {
		visitor := browser(99, 16)
		return repeatedly(ctx, 16, func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.Pages[node]+"/page/login",
				strings.NewReader(`{"secret":"`+strings.Repeat("x", 26)+`"}`))
			if err == nil {
				drop(visitor.Do(request))
			}
		})
	})
}

// streams opens the page's stream as one viewer, over many connections and over few.
func streams(ctx context.Context, c crowdOf) error {
	return everywhere(ctx, c.Cookies, func(ctx context.Context, node string) error {
		visitor := browser(99, 4)
		visitor.Timeout = 0 // it stays
		return repeatedly(ctx, 150, func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.Pages[node]+"/page/stream", http.NoBody)
			if err != nil {
				return
			}
			request.Header.Set("Cookie", c.Cookies[node])
			drop(visitor.Do(request))
		})
	})
}

// links makes login links without end, on the socket.
func links(ctx context.Context, c crowdOf) error {
	ask := "POST " + api.PathPage + " HTTP/1.1\r\nHost: clusterd\r\nContent-Length: 2\r\n\r\n{}"
	return c.locally(ctx, 32, func(conn net.Conn) { again(conn, ask) })
}

// whatIfs has plans made on paper without end.
func whatIfs(ctx context.Context, c crowdOf) error {
	ask := "GET " + api.PathWhatIf + "?down=node3 HTTP/1.1\r\nHost: clusterd\r\n\r\n"
	return c.viewers(ctx, 40, func(conn net.Conn) { again(conn, ask) })
}

func again(conn net.Conn, ask string) {
	answer := make([]byte, 64<<10)
	for {
		if _, err := io.WriteString(conn, ask); err != nil {
			return
		}
		if _, err := conn.Read(answer); err != nil {
			return
		}
	}
}

// repeatedly does something from so many hands, until the context ends.
func repeatedly(ctx context.Context, count int, something func()) error {
	var group sync.WaitGroup
	for range count {
		group.Go(func() {
			for ctx.Err() == nil {
				something()
				rest(ctx, 20*time.Millisecond)
			}
		})
	}
	group.Wait()
	return nil
}

// drop reads an answer to its end.
func drop(answer *http.Response, err error) {
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}
