package watchdog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// sbd's layout, version 2: sector 0 is the header, then each node has a sector
// with its name and one with its mailbox.

// Command is a message in a mailbox.
type Command int8

// The messages of sbd.
const (
	Empty     Command = 0
	Test      Command = 1
	Reset     Command = 2
	Off       Command = 3
	Exit      Command = 4
	CrashDump Command = 5
)

var commandNames = map[Command]string{Empty: "clear", Test: "test", Reset: "reset", Off: "off", Exit: "exit",
	CrashDump: "crashdump"}

// String is sbd's word for it.
func (c Command) String() string {
	if name, known := commandNames[c]; known {
		return name
	}
	return fmt.Sprintf("unknown(%d)", int8(c))
}

const (
	magic         = "SBD_SBD_"
	layoutVersion = 2
	slotCount     = 255
	nameLength    = 64
)

// Header is the first sector. Its times are whole seconds.
type Header struct {
	SectorSize int           `json:"sectorSize"`
	Slots      int           `json:"slots"`
	Watchdog   time.Duration `json:"watchdog"`
	Allocate   time.Duration `json:"allocate"`
	Loop       time.Duration `json:"loop"`
	MsgWait    time.Duration `json:"msgWait"`
	UUID       [16]byte      `json:"uuid"`
}

// ErrNoHeader is returned for a disk that was not made for fence messages.
var ErrNoHeader = errors.New("the disk has no header for fence messages; make one with clusterd or sbd create")

func (h Header) encode() []byte {
	sector := make([]byte, h.SectorSize)
	copy(sector, magic)
	sector[8], sector[9] = layoutVersion, byte(h.Slots)
	binary.BigEndian.PutUint32(sector[12:], uint32(h.SectorSize))
	for i, duration := range []time.Duration{h.Watchdog, h.Allocate, h.Loop, h.MsgWait} {
		binary.BigEndian.PutUint32(sector[16+4*i:], uint32(duration/time.Second))
	}
	sector[32] = 1
	copy(sector[33:], h.UUID[:])
	return sector
}

func decodeHeader(sector []byte) (Header, error) {
	if len(sector) < 49 || string(sector[:8]) != magic {
		return Header{}, ErrNoHeader
	}
	if sector[8] != layoutVersion {
		return Header{}, fmt.Errorf("the header is of version %d, only %d is known", sector[8], layoutVersion)
	}
	seconds := func(at int) time.Duration {
		return time.Duration(binary.BigEndian.Uint32(sector[at:])) * time.Second
	}
	h := Header{
		SectorSize: int(binary.BigEndian.Uint32(sector[12:])), Slots: int(sector[9]),
		Watchdog: seconds(16), Allocate: seconds(20), Loop: seconds(24), MsgWait: seconds(28),
	}
	copy(h.UUID[:], sector[33:])
	return h, nil
}

// longestMsgWait bounds what a fencer is made to wait.
const longestMsgWait = 10 * time.Minute

// check finds a header whose times do not protect.
func (h Header) check(sectorSize int) error {
	switch {
	case h.SectorSize != sectorSize:
		return fmt.Errorf("the header was made for sectors of %d bytes, the disk has %d", h.SectorSize, sectorSize)
	case h.Slots < 1:
		return errors.New("the header has no slots")
	case h.Loop < time.Second || h.Watchdog < time.Second:
		return fmt.Errorf("the header's loop (%v) or watchdog (%v) is nothing", h.Loop, h.Watchdog)
	case h.Watchdog < 3*h.Loop:
		return fmt.Errorf("watchdog %v is less than three loops of %v", h.Watchdog, h.Loop)
	case h.MsgWait < 2*h.Watchdog:
		return fmt.Errorf("msgwait %v is less than twice the watchdog of %v; set the disk up again", h.MsgWait, h.Watchdog)
	case h.MsgWait > longestMsgWait:
		return fmt.Errorf("msgwait %v is more than %v", h.MsgWait, longestMsgWait)
	}
	return nil
}

// fresh is how old a good look at the disk may be when the watchdog is petted.
// A pill written at instant w is seen by every look that begins later, so the
// last pet falls before w+fresh and the reset before w+fresh+watchdog, which
// must be less than msgwait, with room for the hardware's lateness.
func (h Header) fresh() time.Duration { return h.Watchdog * 2 / 3 }

// sameTimes reports whether the disks of one node agree.
func (h Header) sameTimes(other Header) bool {
	return h.Watchdog == other.Watchdog && h.MsgWait == other.MsgWait && h.Loop == other.Loop
}

// nodeSector and mailSector are where a slot lies.
func nodeSector(slot int) int { return 1 + 2*slot }
func mailSector(slot int) int { return 2 + 2*slot }

func encodeNode(node string, sectorSize int) []byte {
	sector := make([]byte, sectorSize)
	sector[0] = 1
	copy(sector[1:nameLength], node)
	return sector
}

// decodeNode returns "" for a slot that is not in use.
func decodeNode(sector []byte) string {
	if sector[0] == 0 {
		return ""
	}
	return untilZero(sector[1 : 1+nameLength])
}

// Mail is what a mailbox holds.
type Mail struct {
	Command Command `json:"command"`
	From    string  `json:"from"`
}

func (m Mail) encode(sectorSize int) []byte {
	sector := make([]byte, sectorSize)
	sector[0] = byte(m.Command)
	copy(sector[1:nameLength], m.From)
	return sector
}

func decodeMail(sector []byte) Mail {
	return Mail{Command: Command(int8(sector[0])), From: untilZero(sector[1 : 1+nameLength])}
}

func untilZero(text []byte) string {
	name, _, _ := bytes.Cut(text, []byte{0})
	return strings.ToValidUTF8(string(name), "?")
}
