package tunnel

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// The kinds of streams.
const (
	kindAPI  = "api"
	kindData = "data"
)

const (
	headerLimit   = 1024
	headerTimeout = 10 * time.Second
)

// header is the first line on a connection between nodes.
type header struct {
	Kind string `json:"kind"`
	Act  string `json:"act"`
}

// answer is the target's line in return, before anything else flows.
type answer struct {
	Error string `json:"error,omitempty"`
}

func (h header) check() error {
	if h.Kind != kindAPI && h.Kind != kindData {
		return fmt.Errorf("%q is not a kind of stream", h.Kind)
	}
	return checkAct(h.Act)
}

func writeLine(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// readLine reads byte by byte, because what follows the line belongs to the
// stream and must not be swallowed by a buffer.
func readLine(r io.Reader, limit int, value any) error {
	line := make([]byte, 0, 128)
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return fmt.Errorf("read a line: %w", err)
		}
		if one[0] == '\n' {
			break
		}
		if line = append(line, one[0]); len(line) > limit {
			return fmt.Errorf("read a line: longer than %d bytes", limit)
		}
	}
	if err := json.Unmarshal(line, value); err != nil {
		return fmt.Errorf("read a line: %w", err)
	}
	return nil
}

// greet sends the header and waits for the target's answer.
func greet(conn net.Conn, head header) error {
	_ = conn.SetDeadline(time.Now().Add(headerTimeout))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	if err := writeLine(conn, head); err != nil {
		return fmt.Errorf("greet the target's forwarder: %w", err)
	}
	var got answer
	if err := readLine(conn, headerLimit, &got); err != nil {
		return fmt.Errorf("wait for the target's forwarder: %w", err)
	}
	if got.Error != "" {
		return fmt.Errorf("the target's forwarder refused: %s", got.Error)
	}
	return nil
}
