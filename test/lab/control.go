package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	controlMessageBytes = 1 << 20
	controlDeadline     = 90 * time.Second
)

// controlRequest is the one message that travels over the lab's unix sockets: to a host's init,
// and to the process that keeps the lab. One request and one answer per connection keep both
// ends trivial.
type controlRequest struct {
	Do       string        `json:"do"`
	Host     string        `json:"host,omitempty"`
	Name     string        `json:"name,omitempty"`
	Words    []string      `json:"words,omitempty"`
	Service  *Service      `json:"service,omitempty"`
	Signal   int           `json:"signal,omitempty"`
	Yes      bool          `json:"yes,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
}

type controlAnswer struct {
	Error    string          `json:"error,omitempty"`
	Text     string          `json:"text,omitempty"`
	Services []ServiceStatus `json:"services,omitempty"`
	Lab      *Status         `json:"lab,omitempty"`
}

// serveControl answers requests until the listener is closed. Each connection has a deadline, so
// that a client that hangs costs one goroutine for a bounded time.
func serveControl(listener net.Listener, answer func(controlRequest) controlAnswer) {
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go func() {
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(controlDeadline))
			var request controlRequest
			if err := readMessage(connection, &request); err != nil {
				writeMessage(connection, controlAnswer{Error: "unreadable request: " + err.Error()})
				return
			}
			writeMessage(connection, answer(request))
		}()
	}
}

// callControl sends one request and waits for its answer.
func callControl(ctx context.Context, socketPath string, request controlRequest) (controlAnswer, error) {
	var answer controlAnswer
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", socketPath)
	if err != nil {
		return answer, err
	}
	defer connection.Close()
	// Closing on cancellation is what makes the read below obey the context.
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	_ = connection.SetDeadline(time.Now().Add(controlDeadline))
	writeMessage(connection, request)
	if err := readMessage(connection, &answer); err != nil {
		if ctx.Err() != nil {
			return answer, fmt.Errorf("no answer to %q: %w", request.Do, ctx.Err())
		}
		return answer, fmt.Errorf("no answer to %q: %w", request.Do, err)
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}

func readMessage(connection net.Conn, message any) error {
	line, err := bufio.NewReader(io.LimitReader(connection, controlMessageBytes)).ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, message)
}

// writeMessage ignores errors: the reader at the other end notices a missing line.
func writeMessage(connection net.Conn, message any) {
	line, err := json.Marshal(message)
	if err != nil {
		line = []byte(`{"error":"the answer could not be encoded"}`)
	}
	_, _ = connection.Write(append(line, '\n'))
}
