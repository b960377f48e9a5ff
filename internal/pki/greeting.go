package pki

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The greeting is the first thing a server says on our own protocols: one byte of verdict, two of length, a sentence. TLS itself can
// refuse a peer only with "bad certificate", and does so after the client believes that it is connected; an administrator deserves
// to read on the refused node why it was refused, and a removed daemon must be able to learn that it was removed.

type verdict byte

const (
	verdictWelcome verdict = iota
	verdictRefused
	verdictRemoved
	verdictBusy
)

// greetingLimitBytes bounds the sentence.
const greetingLimitBytes = 512

// greetedPrefix marks our own protocols. Others (http/1.1 from a browser or curl) know no greeting and get none.
const greetedPrefix = "clusterd-"

var (
	// ErrRefused is returned by Dial when the other end refuses this peer; the error holds its reason.
	ErrRefused = errors.New("refused by the other end")
	// ErrBusy is returned by Dial when the other end has no room for another connection; try again later.
	ErrBusy = errors.New("the other end is too busy")
)

func greets(protocol string) bool { return strings.HasPrefix(protocol, greetedPrefix) }

func writeGreeting(target io.Writer, code verdict, reason string) error {
	if len(reason) > greetingLimitBytes {
		reason = reason[:greetingLimitBytes]
	}
	// One Write is one TLS record and one packet.
	message := binary.BigEndian.AppendUint16([]byte{byte(code)}, uint16(len(reason)))
	_, err := target.Write(append(message, reason...))
	return err
}

func readGreeting(source io.Reader) error {
	var header [3]byte
	if _, err := io.ReadFull(source, header[:]); err != nil {
		return fmt.Errorf("wait for its greeting: %w", err)
	}
	length := binary.BigEndian.Uint16(header[1:])
	if length > greetingLimitBytes {
		return fmt.Errorf("its greeting of %d bytes is longer than %d; is it a clusterd?", length, greetingLimitBytes)
	}
	reason := make([]byte, length)
	if _, err := io.ReadFull(source, reason); err != nil {
		return fmt.Errorf("read its greeting: %w", err)
	}
	switch verdict(header[0]) {
	case verdictWelcome:
		return nil
	case verdictRemoved:
		return fmt.Errorf("%w: %w: %q", ErrRefused, ErrRemoved, reason)
	case verdictBusy:
		return fmt.Errorf("%w: %q", ErrBusy, reason)
	default:
		return fmt.Errorf("%w: %q", ErrRefused, reason)
	}
}

// verdictOf turns a refusal into its code for the other end.
func verdictOf(err error) verdict {
	switch {
	case errors.Is(err, ErrRemoved):
		return verdictRemoved
	case errors.Is(err, ErrBusy):
		return verdictBusy
	default:
		return verdictRefused
	}
}
