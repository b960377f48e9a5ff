package scsi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The helper's protocol: lines name=value on standard input, lines name=value
// on standard output, the last one end=1. It is so plain that a command for an
// initiator outside the kernel can be a short program in any language:
//
//	operation=read | register | reserve | preempt-and-abort
//	device=<as declared>
//	key=0x...            this node's key; not with read
//	victim=0x...         with preempt-and-abort
//
//	outcome=done | conflict | unsupported | failed
//	detail=<words for people, one line>
//	generation=, key= (once for each), holder=, type=, paths=, persistent=0|1   with read
//	end=1
//
// register is REGISTER AND IGNORE EXISTING KEY with APTPL, reserve is RESERVE
// with type 5. A command that cannot abort says unsupported and preempts
// nothing.

type operation string

const (
	opRead         operation = "read"
	opRegister     operation = "register"
	opReserve      operation = "reserve"
	opPreemptAbort operation = "preempt-and-abort"
)

type outcome string

const (
	outDone        outcome = "done"
	outConflict    outcome = "conflict"
	outUnsupported outcome = "unsupported"
	outFailed      outcome = "failed"
)

type request struct {
	operation   operation
	device      string
	key, victim Key
}

type reply struct {
	outcome outcome
	detail  string
	reading Reading
}

const (
	// maxMessage bounds both directions: eight thousand keys, the most that one
	// READ KEYS can tell, take a quarter of a megabyte.
	maxMessage = 512 << 10
	maxDetail  = 400
)

func (q request) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "operation=%s\ndevice=%s\n", q.operation, q.device)
	if q.key != 0 {
		fmt.Fprintf(&b, "key=%s\n", q.key)
	}
	if q.victim != 0 {
		fmt.Fprintf(&b, "victim=%s\n", q.victim)
	}
	return b.Bytes()
}

func (p reply) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "outcome=%s\n", p.outcome)
	if p.detail != "" {
		fmt.Fprintf(&b, "detail=%s\n", oneLine(p.detail))
	}
	r := p.reading
	fmt.Fprintf(&b, "generation=%d\nholder=%s\ntype=%d\npaths=%d\n", r.Generation, r.Holder, r.Type, r.Paths)
	switch r.Persistence {
	case Persistent:
		b.WriteString("persistent=1\n")
	case Forgetful:
		b.WriteString("persistent=0\n")
	}
	for _, key := range r.Keys {
		fmt.Fprintf(&b, "key=%s\n", key)
	}
	b.WriteString("end=1\n")
	return b.Bytes()
}

func decodeRequest(in io.Reader) (request, error) {
	var q request
	err := eachLine(in, func(name, value string) error {
		var err error
		switch name {
		case "operation":
			q.operation = operation(value)
		case "device":
			q.device = value
		case "key":
			q.key, err = parseKey(value)
		case "victim":
			q.victim, err = parseKey(value)
		default:
			err = fmt.Errorf("there is no %q in a request", name)
		}
		return err
	})
	return q, err
}

// decodeReply refuses an answer that is cut short: a list of keys that lacks
// its tail would prove what is not so.
func decodeReply(in io.Reader) (reply, error) {
	var p reply
	ended := false
	err := eachLine(in, func(name, value string) error {
		if ended {
			return fmt.Errorf("the answer goes on after its end")
		}
		if name == "end" {
			ended = true
			return nil
		}
		return p.take(name, value)
	})
	switch {
	case err != nil:
		return reply{}, err
	case !ended:
		return reply{}, fmt.Errorf("the answer is cut short")
	}
	switch p.outcome {
	case outDone, outConflict, outUnsupported, outFailed:
		return p, nil
	}
	return reply{}, fmt.Errorf("the answer has no outcome that is known (%q)", oneLine(string(p.outcome)))
}

func (p *reply) take(name, value string) error {
	number := func(bits int) (uint64, error) { return strconv.ParseUint(value, 10, bits) }
	var n uint64
	var err error
	switch name {
	case "outcome":
		p.outcome = outcome(value)
	case "detail":
		p.detail = oneLine(value)
	case "generation":
		n, err = number(32)
		p.reading.Generation = uint32(n)
	case "type":
		n, err = number(8)
		p.reading.Type = int(n)
	case "paths":
		n, err = number(16)
		p.reading.Paths = int(n)
	case "holder":
		p.reading.Holder, err = parseKey(value)
	case "persistent":
		p.reading.Persistence = Forgetful
		if value == "1" {
			p.reading.Persistence = Persistent
		}
	case "key":
		var key Key
		key, err = parseKey(value)
		p.reading.Keys = append(p.reading.Keys, key)
	default:
		err = fmt.Errorf("there is no %q in an answer", oneLine(name))
	}
	return err
}

func eachLine(in io.Reader, take func(name, value string) error) error {
	scanner := bufio.NewScanner(io.LimitReader(in, maxMessage))
	for scanner.Scan() {
		line := scanner.Text()
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found {
			return fmt.Errorf("a line is not name=value: %q", oneLine(line))
		}
		if err := take(name, value); err != nil {
			return err
		}
	}
	return scanner.Err()
}

func parseKey(text string) (Key, error) {
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no key", oneLine(text))
	}
	return Key(n), nil
}

// oneLine makes foreign words fit to be shown.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "..."
	}
	return text
}
