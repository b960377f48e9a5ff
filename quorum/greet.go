package quorum

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"time"
)

const (
	// helloMax bounds what is read of a hello; each node takes about a hundred bytes of it.
	helloMax     = 256 << 10
	helloTimeout = 5 * time.Second
)

// hello is what both ends of a connection of the log say first: which log they hold, and what
// they remember of others'.
type hello struct {
	ID    string          `json:"id"`
	Held  Held            `json:"held"`
	Known map[string]Held `json:"known,omitempty"`
}

// greeter says and judges hellos. Without a memory it says who it is and believes everybody.
type greeter struct {
	id     string
	held   func() Held
	behind func(index uint64) iter.Seq2[Entry, error]
	memory Memory
}

func (g *greeter) hello() hello {
	said := hello{ID: g.id, Held: g.held()}
	if g.memory != nil {
		said.Known = g.memory.Known()
	}
	return said
}

// called greets whoever was called: its votes and acknowledgements come back on this connection.
func (g *greeter) called(connection net.Conn) error {
	connection.SetDeadline(time.Now().Add(helloTimeout))
	defer connection.SetDeadline(time.Time{})
	if err := writeHello(connection, g.hello()); err != nil {
		return err
	}
	said, err := g.read(connection)
	if err != nil || g.memory == nil {
		return err
	}
	return g.memory.Counts(said.ID, said.Held, g.behind)
}

// caller greets whoever calls: a leader with its entries, or a candidate that counts its own vote.
// It is answered in any case,
// so that it learns what is remembered of it.
func (g *greeter) caller(connection net.Conn) error {
	connection.SetDeadline(time.Now().Add(helloTimeout))
	defer connection.SetDeadline(time.Time{})
	said, err := g.read(connection)
	if err != nil {
		return err
	}
	if err := writeHello(connection, g.hello()); err != nil || g.memory == nil {
		return err
	}
	return g.memory.Hears(said.ID, said.Held)
}

func (g *greeter) read(connection net.Conn) (hello, error) {
	var said hello
	var size [4]byte
	if _, err := io.ReadFull(connection, size[:]); err != nil {
		return said, fmt.Errorf("read a node's hello: %w", err)
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > helloMax {
		return said, fmt.Errorf("a node's hello has %d bytes, the limit is %d", length, helloMax)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(connection, text); err != nil {
		return said, fmt.Errorf("read a node's hello: %w", err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return said, fmt.Errorf("read a node's hello: %w", err)
	}
	if known, told := said.Known[g.id]; told && g.memory != nil {
		g.memory.Remembered(said.ID, known)
	}
	return said, nil
}

func writeHello(connection net.Conn, said hello) error {
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	if len(text) > helloMax {
		return fmt.Errorf("this node remembers the logs of too many nodes: %d bytes, the limit is %d", len(text), helloMax)
	}
	_, err = connection.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}
