package scsi

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What follows runs in the helper process alone.

// The ioctls of linux/pr.h, and the kernel's number for the reservation's type.
const (
	ioctlRegister     = 0x401870c8
	ioctlReserve      = 0x401070c9
	ioctlPreemptAbort = 0x401870cc

	kernelWriteExclusiveRegistrantsOnly = 3
	// flagIgnoreKey registers whatever was registered before.
	flagIgnoreKey = 1
)

// statusConflict is SCSI's RESERVATION CONFLICT.
const statusConflict = 0x18

type (
	kernelRegistration struct {
		oldKey, newKey uint64
		flags, _       uint32
	}
	kernelReservation struct {
		key         uint64
		kind, flags uint32
	}
	// kernelPreempt has misleading names in linux/pr.h: its old_key must be our
	// own key and its new_key the victim's, because sd and nvme put them into the
	// fields of that order. The other way round the device refuses.
	kernelPreempt struct {
		own, victim uint64
		kind, flags uint32
	}
)

// RunHelper answers one question on standard input about one disk of this
// kernel. The program named in Options.Helper calls it and exits; it may hang
// in the kernel forever, which is why it is a program of its own.
func RunHelper(in io.Reader, out io.Writer) error {
	q, err := decodeRequest(in)
	if err != nil {
		return err
	}
	_, err = out.Write(answer(q).encode())
	return err
}

func answer(q request) reply {
	failed := func(err error) reply {
		result := outFailed
		if errors.Is(err, errUnsupported) {
			result = outUnsupported
		}
		return reply{outcome: result, detail: err.Error()}
	}
	d, err := openDisk(q.device)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = d.file.Close() }()
	switch q.operation {
	case opRead:
		reading, err := d.read()
		if err != nil {
			return failed(err)
		}
		return reply{outcome: outDone, reading: reading}
	case opRegister:
		return d.change(ioctlRegister, unsafe.Pointer(&kernelRegistration{newKey: uint64(q.key), flags: flagIgnoreKey}))
	case opReserve:
		return d.change(ioctlReserve,
			unsafe.Pointer(&kernelReservation{key: uint64(q.key), kind: kernelWriteExclusiveRegistrantsOnly}))
	case opPreemptAbort:
		return d.change(ioctlPreemptAbort,
			unsafe.Pointer(&kernelPreempt{own: uint64(q.key), victim: uint64(q.victim),
				kind: kernelWriteExclusiveRegistrantsOnly}))
	}
	return failed(fmt.Errorf("there is no operation %q", q.operation))
}

var errUnsupported = errors.New("the disk or its driver knows no persistent reservations")

// disk is an open whole disk that was found to be the one declared.
type disk struct {
	file  *os.File
	paths int
}

// openDisk opens for reading: root may send all of this through such a file,
// and closing one that was open for writing makes udev look at the disk again.
func openDisk(path string) (disk, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return disk{}, errors.New("this node has no such disk; check the name in the declaration, and on this node the " +
			"zoning, the iSCSI login and multipath")
	}
	if err != nil {
		return disk{}, fmt.Errorf("the disk cannot be opened: %w", err)
	}
	d := disk{file: file, paths: 1}
	if err := d.examine(path); err != nil {
		_ = file.Close()
		return disk{}, err
	}
	return d, nil
}

func (d *disk) examine(path string) error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(d.file.Fd()), &stat); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return fmt.Errorf("%s is no block device", path)
	}
	entry := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	if _, err := os.Stat(entry + "/partition"); err == nil {
		return fmt.Errorf("%s is a partition; a reservation is always on the whole disk", path)
	}
	if below, err := os.ReadDir(entry + "/slaves"); err == nil && len(below) > 0 {
		d.paths = len(below)
	}
	want, told := designatorIn(path)
	if !told {
		return nil
	}
	// A link of yesterday could lead to another disk today.
	found, err := d.designators()
	if err != nil {
		return fmt.Errorf("%s does not tell which disk it is: %w", path, err)
	}
	if !slices.Contains(found, want) {
		return fmt.Errorf("%s leads to another disk, which calls itself %v; run udevadm trigger and check the declaration",
			path, found)
	}
	return nil
}

// change sends one PERSISTENT RESERVE OUT. A positive answer is the device's
// own status, which some kernels mix with other bits.
func (d disk) change(command uintptr, argument unsafe.Pointer) reply {
	status, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), command, uintptr(argument))
	switch {
	case errno == unix.ENOTTY || errno == unix.EOPNOTSUPP || errno == unix.EINVAL:
		return reply{outcome: outUnsupported, detail: fmt.Sprintf("%v: %v", errUnsupported, errno)}
	case errno != 0:
		return reply{outcome: outFailed, detail: errno.Error()}
	case status == 0:
		return reply{outcome: outDone}
	case status&0xff == statusConflict:
		return reply{outcome: outConflict, detail: "reservation conflict"}
	}
	return reply{outcome: outFailed, detail: fmt.Sprintf("device status 0x%x", status)}
}

// PERSISTENT RESERVE IN and its service actions.
const (
	commandReserveIn    = 0x5e
	actionReadKeys      = 0
	actionReservation   = 1
	actionCapabilities  = 2
	commandInquiry      = 0x12
	pageDesignators     = 0x83
	largestAnswer       = 0xfff8
	lengthOfReservation = 16
)

func (d disk) read() (Reading, error) {
	r := Reading{Paths: d.paths}
	keys, err := d.reserveIn(actionReadKeys, largestAnswer)
	if errors.Is(err, errUnsupported) {
		return d.readByKernel(r)
	}
	if err != nil {
		return r, err
	}
	if r.Generation, r.Keys, err = parseKeys(keys); err != nil {
		return r, err
	}
	held, err := d.reserveIn(actionReservation, 512)
	if err != nil {
		return r, err
	}
	generation, err := parseReservation(held, &r)
	if err != nil {
		return r, err
	}
	if generation != r.Generation {
		return r, fmt.Errorf("keys and reservation changed while they were read")
	}
	// Not every array tells this; what is not told is not held against it.
	if told, err := d.reserveIn(actionCapabilities, 8); err == nil && len(told) >= 8 {
		r.Persistence = Forgetful
		if told[3]&1 != 0 {
			r.Persistence = Persistent
		}
	}
	return r, nil
}

func parseKeys(answer []byte) (uint32, []Key, error) {
	if len(answer) < 8 {
		return 0, nil, fmt.Errorf("the list of keys is cut short")
	}
	generation, length := binary.BigEndian.Uint32(answer), binary.BigEndian.Uint32(answer[4:])
	list := answer[8:]
	if uint64(length) > uint64(len(list)) || length%8 != 0 {
		return 0, nil, fmt.Errorf("the list of keys is cut short: %d bytes of %d", len(list), length)
	}
	var keys []Key
	for i := uint32(0); i < length; i += 8 {
		keys = append(keys, Key(binary.BigEndian.Uint64(list[i:])))
	}
	return generation, keys, nil
}

func parseReservation(answer []byte, r *Reading) (uint32, error) {
	if len(answer) < 8 {
		return 0, fmt.Errorf("the answer about the reservation is cut short")
	}
	generation, length := binary.BigEndian.Uint32(answer), binary.BigEndian.Uint32(answer[4:])
	switch {
	case length == 0:
		return generation, nil
	case length < lengthOfReservation || len(answer) < 8+lengthOfReservation:
		return 0, fmt.Errorf("the answer about the reservation is cut short")
	}
	r.Holder, r.Type = Key(binary.BigEndian.Uint64(answer[8:])), int(answer[21]&0xf)
	return generation, nil
}

func (d disk) reserveIn(action byte, room uint16) ([]byte, error) {
	cdb := []byte{commandReserveIn, action, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(cdb[7:], room)
	return d.ask(cdb, int(room))
}

// designators returns what the logical unit calls itself: NAA and EUI-64, in hex.
func (d disk) designators() ([]string, error) {
	const room = 1024
	page, err := d.ask([]byte{commandInquiry, 1, pageDesignators, room >> 8, room & 0xff, 0}, room)
	if err != nil {
		return nil, err
	}
	return parseDesignators(page), nil
}

func parseDesignators(page []byte) []string {
	var found []string
	if len(page) < 4 || page[1] != pageDesignators {
		return nil
	}
	rest := page[4:min(len(page), 4+int(binary.BigEndian.Uint16(page[2:])))]
	for len(rest) >= 4 && len(rest) >= 4+int(rest[3]) {
		association, kind, designator := rest[1]>>4&3, rest[1]&0xf, rest[4:4+int(rest[3])]
		if association == 0 && (kind == 2 || kind == 3) {
			found = append(found, hex.EncodeToString(designator))
		}
		rest = rest[4+len(designator):]
	}
	return found
}
