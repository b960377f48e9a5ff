package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// Questions and their answers are small; they are asked where the log cannot carry them.
const (
	questionBytesMax = 4096
	questionTimeout  = 5 * time.Second
)

// Answer lets a function answer what the daemons of other nodes ask this one, for as long as the
// Wire is open. It may be called from several goroutines, and must return soon.
// The connection that the function gets is only for telling who asks.
func (w *Wire) Answer(answer func(asker net.Conn, question []byte) []byte) error {
	return w.handle(channelQuestion, func(connection net.Conn) {
		defer connection.Close()
		connection.SetDeadline(time.Now().Add(questionTimeout))
		question, err := readBounded(connection)
		if err != nil {
			return // whoever asked learns it by the end of the connection
		}
		asker := connection
		if known, is := connection.(*wireConn); is {
			asker = known.Conn // the Gate was asked about this one
		}
		writeBounded(connection, answer(asker, question))
	})
}

// Ask puts one question to the node at that address.
func (w *Wire) Ask(ctx context.Context, address string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	connection, err := w.dial(ctx, address, channelQuestion)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	if err := writeBounded(connection, question); err != nil {
		return nil, err
	}
	return readBounded(connection)
}

func writeBounded(connection net.Conn, text []byte) error {
	if len(text) > questionBytesMax {
		return ErrTooLarge
	}
	_, err := connection.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

func readBounded(connection net.Conn) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(connection, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > questionBytesMax {
		return nil, errors.New("the message is too long")
	}
	text := make([]byte, length)
	_, err := io.ReadFull(connection, text)
	return text, err
}
