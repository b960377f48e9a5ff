package scsi

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sgHeader is sg_io_hdr of scsi/sg.h.
type sgHeader struct {
	interfaceID             int32
	direction               int32
	commandLength           uint8
	senseRoom               uint8
	_                       uint16
	dataLength              uint32
	data, command, sense    uintptr
	timeoutMilliseconds     uint32
	flags                   uint32
	_, _                    int32
	_                       uintptr
	status, _, _, senseUsed uint8
	hostStatus              uint16
	driverStatus            uint16
	residue                 int32
	_, _                    uint32
}

const (
	ioctlSG      = 0x2285
	fromDevice   = -3
	senseFollows = 0x08
	// unitAttention is a device's word that somebody changed something; it comes
	// instead of the first answer and only once for each change.
	unitAttention = 6
	illegal       = 5
	attentions    = 8
	// commandTime is the kernel's own limit; the helper's caller has another.
	commandTimeMilliseconds = 5000
)

// ask sends a command that only reads, and returns what came.
func (d disk) ask(cdb []byte, room int) ([]byte, error) {
	for range attentions {
		answer, key, err := d.askOnce(cdb, room)
		if err == nil || key != unitAttention {
			return answer, err
		}
	}
	return nil, fmt.Errorf("the disk keeps telling of changes")
}

func (d disk) askOnce(cdb []byte, room int) (answer []byte, senseKey byte, err error) {
	answer = make([]byte, room)
	sense := make([]byte, 64)
	header := sgHeader{
		interfaceID: 'S', direction: fromDevice, commandLength: uint8(len(cdb)), senseRoom: uint8(len(sense)),
		dataLength:          uint32(room),
		timeoutMilliseconds: commandTimeMilliseconds,
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	for _, first := range []*byte{&answer[0], &cdb[0], &sense[0]} {
		pinned.Pin(first)
	}
	header.data, header.command, header.sense = uintptr(unsafe.Pointer(&answer[0])), uintptr(unsafe.Pointer(&cdb[0])),
		uintptr(unsafe.Pointer(&sense[0]))
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), ioctlSG, uintptr(unsafe.Pointer(&header)))
	switch {
	case errno == unix.ENOTTY || errno == unix.EINVAL:
		return nil, 0, fmt.Errorf("%w (%w)", errUnsupported, errno)
	case errno != 0:
		return nil, 0, errno
	}
	switch {
	case header.status == statusConflict:
		return nil, 0, fmt.Errorf("reservation conflict")
	case header.status != 0:
		key, code := senseOf(sense)
		if key == illegal {
			return nil, key, fmt.Errorf("%w (sense 5/%04x)", errUnsupported, code)
		}
		return nil, key, fmt.Errorf("device status 0x%x, sense %d/%04x", header.status, key, code)
	case header.hostStatus != 0 || header.driverStatus&^senseFollows != 0:
		return nil, 0, fmt.Errorf("the way to the disk failed (host status 0x%x, driver status 0x%x)", header.hostStatus,
			header.driverStatus)
	case header.residue < 0 || int(header.residue) > room:
		return nil, 0, fmt.Errorf("the disk's answer has no length")
	}
	return answer[:room-int(header.residue)], 0, nil
}

// senseOf reads both formats of sense data.
func senseOf(sense []byte) (key byte, code uint16) {
	if sense[0]&0x7f >= 0x72 {
		return sense[1] & 0xf, uint16(sense[2])<<8 | uint16(sense[3])
	}
	return sense[2] & 0xf, uint16(sense[12])<<8 | uint16(sense[13])
}
