package blockserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The NBD protocol, fixed newstyle, as far as QEMU speaks it: no structured replies, no TLS.
const (
	magicServer  = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption  = 0x49484156454f5054 // "IHAVEOPT"
	magicReply   = 0x3e889045565a9
	magicRequest = 0x25609513
	magicSimple  = 0x67446698

	handshakeFixed    = 1
	handshakeNoZeroes = 2

	optionExportName = 1
	optionAbort      = 2
	optionInfo       = 6
	optionGo         = 7

	replyAck         = 1
	replyInfo        = 3
	replyUnsupported = 1<<31 + 1
	replyInvalid     = 1<<31 + 3
	replyUnknown     = 1<<31 + 6

	transmissionFlags = 1 | 4 | 8 | 256 // Has flags, flush, forced unit access, several connections.

	commandRead       = 0
	commandWrite      = 1
	commandDisconnect = 2
	commandFlush      = 3

	errorIO      = 5
	errorInvalid = 22

	optionBytesLimit  = 4096
	optionsLimit      = 64
	transferLimit     = 32 << 20
	handshakePatience = 10 * time.Second
)

// client is one connection.
type client struct {
	server     *Server
	connection net.Conn
	host       string
	reader     *bufio.Reader
	export     *export
}

// serve returns why the connection ended; that is never nil.
func (c *client) serve() error {
	c.reader = bufio.NewReader(c.connection)
	_ = c.connection.SetDeadline(time.Now().Add(handshakePatience))
	if err := c.handshake(); err != nil {
		return err
	}
	_ = c.connection.SetDeadline(time.Time{})
	for {
		if err := c.request(); err != nil {
			return err
		}
	}
}

func (c *client) send(parts ...any) error {
	var message []byte
	for _, part := range parts {
		switch value := part.(type) {
		case uint16:
			message = binary.BigEndian.AppendUint16(message, value)
		case uint32:
			message = binary.BigEndian.AppendUint32(message, value)
		case uint64:
			message = binary.BigEndian.AppendUint64(message, value)
		case []byte:
			message = append(message, value...)
		default:
			return fmt.Errorf("cannot send a %T", part)
		}
	}
	_, err := c.connection.Write(message)
	return err
}

func (c *client) handshake() error {
	if err := c.send(uint64(magicServer), uint64(magicOption), uint16(handshakeFixed|handshakeNoZeroes)); err != nil {
		return err
	}
	var flags uint32
	if err := binary.Read(c.reader, binary.BigEndian, &flags); err != nil {
		return err
	}
	for range optionsLimit {
		var header struct {
			Magic  uint64
			Option uint32
			Length uint32
		}
		if err := binary.Read(c.reader, binary.BigEndian, &header); err != nil {
			return err
		}
		if header.Magic != magicOption || header.Length > optionBytesLimit {
			return errors.New("malformed option")
		}
		data := make([]byte, header.Length)
		if _, err := io.ReadFull(c.reader, data); err != nil {
			return err
		}
		finished, err := c.option(header.Option, data, flags&handshakeNoZeroes != 0)
		if finished || err != nil {
			return err
		}
	}
	return errors.New("too many options")
}

// option answers one option; finished is true when the handshake is over.
func (c *client) option(option uint32, data []byte, noZeroes bool) (finished bool, err error) {
	switch option {
	case optionExportName:
		if c.export, err = c.server.export(string(data)); err != nil {
			return false, err // This option has no way to say no but to hang up.
		}
		padding := make([]byte, 124)
		if noZeroes {
			padding = nil
		}
		return true, c.send(uint64(c.server.options.DiskBytes), uint16(transmissionFlags), padding)
	case optionInfo, optionGo:
		if len(data) < 6 || int(binary.BigEndian.Uint32(data)) > len(data)-6 {
			return false, c.reply(option, replyInvalid, nil)
		}
		found, err := c.server.export(string(data[4 : 4+binary.BigEndian.Uint32(data)]))
		if err != nil {
			return false, c.reply(option, replyUnknown, []byte(err.Error()))
		}
		info := binary.BigEndian.AppendUint16(nil, 0)
		info = binary.BigEndian.AppendUint64(info, uint64(c.server.options.DiskBytes))
		info = binary.BigEndian.AppendUint16(info, transmissionFlags)
		if err := c.reply(option, replyInfo, info); err != nil {
			return false, err
		}
		c.export = found
		return option == optionGo, c.reply(option, replyAck, nil)
	case optionAbort:
		_ = c.reply(option, replyAck, nil)
		return false, io.EOF
	default:
		return false, c.reply(option, replyUnsupported, nil)
	}
}

func (c *client) reply(option, kind uint32, data []byte) error {
	return c.send(uint64(magicReply), option, kind, uint32(len(data)), data)
}

func (c *client) request() error {
	var request struct {
		Magic  uint32
		Flags  uint16
		Type   uint16
		Handle uint64
		Offset uint64
		Length uint32
	}
	if err := binary.Read(c.reader, binary.BigEndian, &request); err != nil {
		return err
	}
	if request.Magic != magicRequest || request.Length > transferLimit {
		return errors.New("malformed request")
	}
	size := uint64(c.server.options.DiskBytes)
	inside := request.Offset <= size && uint64(request.Length) <= size-request.Offset
	switch request.Type {
	case commandRead:
		if !inside {
			return c.done(errorInvalid, request.Handle, nil)
		}
		data := make([]byte, request.Length)
		if _, err := c.export.file.ReadAt(data, int64(request.Offset)); err != nil {
			return c.done(errorIO, request.Handle, nil)
		}
		return c.done(0, request.Handle, data)
	case commandWrite:
		data := make([]byte, request.Length)
		if _, err := io.ReadFull(c.reader, data); err != nil {
			return err
		}
		if !inside {
			return c.done(errorInvalid, request.Handle, nil)
		}
		if err := c.export.write(c.host, data, int64(request.Offset)); err != nil {
			c.server.options.Logger.Error("a write failed", "disk", c.export.name, "host", c.host, "error", err)
			return c.done(errorIO, request.Handle, nil)
		}
		return c.done(0, request.Handle, nil)
	case commandFlush:
		// The disk only has to outlive pretend hosts, not this machine, so the page cache is stable
		// enough.
		return c.done(0, request.Handle, nil)
	case commandDisconnect:
		return io.EOF
	default:
		return c.done(errorInvalid, request.Handle, nil)
	}
}

func (c *client) done(code uint32, handle uint64, data []byte) error {
	return c.send(uint32(magicSimple), code, handle, data)
}
