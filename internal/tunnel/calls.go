package tunnel

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// What libvirt puts before each message (src/rpc/virnetprotocol.x): its length, these four bytes
// included, then program, version, procedure, kind, serial and status.
const (
	frameHead = 28
	// frameLimit is libvirt's own VIR_NET_MESSAGE_MAX.
	frameLimit = 32 << 20
	// argumentLimit is how much of a call's arguments is looked at: a name and a UUID lie in it.
	argumentLimit = 1 << 10
)

const (
	programRemote    = 0x20008086
	programKeepalive = 0x6b656570
)

// The kinds of messages that are spoken of here.
const (
	messageCall   = 0
	messageReply  = 1
	messageNotice = 2
)

// frame is what stands before a message.
type frame struct {
	length, program, version, procedure, kind, serial, status uint32
}

// is reports whether it is a message of that kind about a procedure of libvirt's own program.
func (f frame) is(kind, procedure uint32) bool {
	return f.program == programRemote && f.kind == kind && f.procedure == procedure
}

func parseFrame(head []byte) (frame, error) {
	word := func(n int) uint32 { return binary.BigEndian.Uint32(head[4*n:]) }
	f := frame{length: word(0), program: word(1), version: word(2), procedure: word(3), kind: word(4), serial: word(5),
		status: word(6)}
	if f.length < frameHead || f.length > frameLimit {
		return frame{}, fmt.Errorf("a message of %d bytes is none of libvirt's", f.length)
	}
	return f, nil
}

// names says of which guest a call is.
type names int

const (
	namesNone    names = iota
	namesUUID          // its arguments begin with a UUID
	namesDomain        // its arguments begin with a domain: name, UUID, id
	namesURI           // its arguments are a URI that libvirtd opens, and flags
	namesArrival       // its parameters hold the guest's definition, or its name
)

// calls are those that a live migration makes at its target, by their numbers in libvirt's
// src/remote/remote_protocol.x, which never change: what libvirt itself and the agent ask for, also
// when they settle one that went wrong. Whatever is not in it is refused, and so is what libvirt
// adds one day.
var calls = map[uint32]names{
	1:   namesURI,  // CONNECT_OPEN
	2:   namesNone, // CONNECT_CLOSE
	4:   namesNone, // CONNECT_GET_VERSION
	59:  namesNone, // CONNECT_GET_HOSTNAME
	60:  namesNone, // CONNECT_SUPPORTS_FEATURE
	66:  namesNone, // AUTH_LIST
	67:  namesNone, // AUTH_SASL_INIT
	68:  namesNone, // AUTH_SASL_START
	69:  namesNone, // AUTH_SASL_STEP
	70:  namesNone, // AUTH_POLKIT
	110: namesNone, // CONNECT_GET_URI
	149: namesNone, // CONNECT_IS_SECURE
	157: namesNone, // CONNECT_GET_LIB_VERSION
	360: namesNone, // CONNECT_REGISTER_CLOSE_CALLBACK
	361: namesNone, // CONNECT_UNREGISTER_CLOSE_CALLBACK

	24:  namesUUID,   // DOMAIN_LOOKUP_BY_UUID
	12:  namesDomain, // DOMAIN_DESTROY
	14:  namesDomain, // DOMAIN_GET_XML_DESC
	16:  namesDomain, // DOMAIN_GET_INFO
	28:  namesDomain, // DOMAIN_RESUME
	34:  namesDomain, // DOMAIN_SUSPEND
	150: namesDomain, // DOMAIN_IS_ACTIVE
	151: namesDomain, // DOMAIN_IS_PERSISTENT
	163: namesDomain, // DOMAIN_GET_JOB_INFO
	164: namesDomain, // DOMAIN_ABORT_JOB
	212: namesDomain, // DOMAIN_GET_STATE
	234: namesDomain, // DOMAIN_DESTROY_FLAGS
	298: namesDomain, // DOMAIN_GET_JOB_STATS

	// These are held back until all of them has been read. The doorkeeper of the target does not
	// see what is in the definition, and lets pass what the cluster does not manage.
	callPrepare: namesArrival, // DOMAIN_MIGRATE_PREPARE3_PARAMS
	callFinish:  namesArrival, // DOMAIN_MIGRATE_FINISH3_PARAMS
}

// acting are the calls that change the guest. Once its move is over, none of them is part of it.
var acting = map[uint32]bool{12: true, 28: true, 34: true, 164: true, 234: true, callPrepare: true}

// A guest arrives between these two: its target kills it if the connection ends in between.
const (
	callPrepare = 303
	callFinish  = 306
)

// errNoCall ends a stream: what came is neither a call nor a sign of life.
var errNoCall = errors.New("it is no call")

// judge says why a message to libvirtd is none that the migration of that guest sends; nil if it
// is one. arguments are the first argumentLimit bytes that follow its frame.
func judge(f frame, arguments []byte, guest string) error {
	if f.program == programKeepalive && f.kind == messageNotice && f.length == frameHead {
		return nil
	}
	if f.kind != messageCall {
		return fmt.Errorf("%w: program %#x, procedure %d, kind %d", errNoCall, f.program, f.procedure, f.kind)
	}
	of, known := calls[f.procedure]
	if !known || f.program != programRemote || f.version != 1 {
		return fmt.Errorf("no migration makes call %d of program %#x", f.procedure, f.program)
	}
	switch of {
	case namesNone, namesArrival: // of the latter it takes the stream to tell
		return nil
	case namesURI:
		if uint64(len(arguments)) != uint64(f.length-frameHead) {
			return fmt.Errorf("call %d has %d bytes of arguments", f.procedure, f.length-frameHead)
		}
		return opens(arguments)
	}
	named, ok := uuidIn(arguments, of)
	if !ok {
		return fmt.Errorf("call %d does not say of which guest it is", f.procedure)
	}
	if guest == "" || !strings.EqualFold(named, guest) {
		return fmt.Errorf("call %d is of guest %s, and %q is the one that moves", f.procedure, named, guest)
	}
	return nil
}

// uuidIn reads the UUID that arguments begin with, or the domain: there a name stands before it,
// filled up to four bytes.
func uuidIn(arguments []byte, of names) (string, bool) {
	if of == namesDomain {
		if len(arguments) < 4 {
			return "", false
		}
		length := uint64(binary.BigEndian.Uint32(arguments))
		skip := 4 + (length+3)/4*4
		if skip > uint64(len(arguments)) {
			return "", false
		}
		arguments = arguments[skip:]
	}
	if len(arguments) < 16 {
		return "", false
	}
	text := hex.EncodeToString(arguments[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"), true
}

// ownURI is what libvirt makes of a route's URI (qemu+unix:///system?socket=...) for the other end.
const ownURI = "qemu:///system"

// readOnly is VIR_CONNECT_RO.
const readOnly = 1

// opens says why libvirtd must not open what a call asks for; nil if it is the host's own
// hypervisor. It opens any URI as a client of its own, as root: one with +ext or +ssh names a
// program that it starts, and others lead to other hosts and sockets.
func opens(arguments []byte) error {
	from := reader{rest: arguments}
	uri := ""
	if there := from.word(); there == 1 {
		uri = from.text(argumentLimit)
	} else if there != 0 {
		from.broken = true
	}
	flags := from.word()
	switch {
	case from.broken || len(from.rest) > 0:
		return errors.New("the call that opens the hypervisor is not written as libvirt writes it")
	case uri != "" && uri != ownURI:
		return fmt.Errorf("%.80q is not the hypervisor of this host (%s)", uri, ownURI)
	case flags != 0 && flags != readOnly:
		return fmt.Errorf("the hypervisor is opened with flags %#x, which no migration has", flags)
	}
	return nil
}

// What libvirt's own error looks like (virNetMessageError): denied, told by its RPC part.
const (
	errorDenied  = 88 // VIR_ERR_ACCESS_DENIED
	errorFromRPC = 7  // VIR_FROM_RPC
	errorLevel   = 2  // VIR_ERR_ERROR
)

// refusal is the reply to a call that is not passed on. Its maker goes on: a call that libvirt adds
// one day must not part a guest that is just arriving.
func refusal(f frame, why error) []byte {
	text := "clusterd: " + why.Error()
	message := make([]byte, 0, 128+len(text))
	word := func(values ...uint32) {
		for _, value := range values {
			message = binary.BigEndian.AppendUint32(message, value)
		}
	}
	word(0, f.program, f.version, f.procedure, messageReply, f.serial, 1)
	word(errorDenied, errorFromRPC, 1, uint32(len(text)))
	message = append(message, text...)
	message = append(message, make([]byte, (4-len(text)%4)%4)...)
	word(errorLevel, 0, 0, 0, 0, 0, 0, 0) // no domain, three texts, two numbers, no network
	binary.BigEndian.PutUint32(message, uint32(len(message)))
	return message
}
