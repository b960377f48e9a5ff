package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	requestEvery = 20 * time.Millisecond
	// requestLimit is longer than a busy machine needs and shorter than what a person
	// would call an outage.
	requestLimit = 500 * time.Millisecond
)

// requests is a client that asks a web server all the time, and counts.
type requests struct {
	dial   func(limit time.Duration) (net.Conn, error)
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	seen counted
}

// counted is what the client saw since it was last reset.
type counted struct {
	Answered, Failed int
	// Servers are the hosts that answered, in the order in which they first did.
	Servers []string
	// Last is the host of the newest answer, and Gap the longest time between two.
	Last    string
	Gap     time.Duration
	LastAt  time.Time
	Changes int
}

func newRequests(dial func(time.Duration) (net.Conn, error)) *requests {
	ctx, cancel := context.WithCancel(context.Background())
	r := &requests{dial: dial, cancel: cancel, seen: counted{LastAt: time.Now()}}
	r.done.Go(func() {
		ticker := time.NewTicker(requestEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			host, err := r.ask()
			r.count(host, err)
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	return r
}

// ask makes one request over a connection of its own. The answer is the name of
// the host that gave it.
func (r *requests) ask() (string, error) {
	connection, err := r.dial(requestLimit)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(requestLimit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(connection, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 100))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return strings.TrimSpace(string(text)), err
}

func (r *requests) count(host string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.seen.Failed++
		return
	}
	now := time.Now()
	r.seen.Answered++
	r.seen.Gap = max(r.seen.Gap, now.Sub(r.seen.LastAt))
	if r.seen.Last != "" && r.seen.Last != host {
		r.seen.Changes++
	}
	r.seen.Last, r.seen.LastAt = host, now
	if !slices.Contains(r.seen.Servers, host) {
		r.seen.Servers = append(r.seen.Servers, host)
	}
}

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = counted{LastAt: time.Now(), Last: r.seen.Last}
}

func (r *requests) now() counted {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func (r *requests) stop() {
	r.cancel()
	r.done.Wait()
}

// until waits until a host answers.
func (r *requests) until(ctx context.Context, host string) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) &&
		ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		seen := r.now()
		if slices.Contains(seen.Servers, host) && seen.Last == host {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer the client: %+v (%v)", host, r.now(), ctx.Err())
}
