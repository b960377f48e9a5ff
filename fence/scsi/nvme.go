package scsi

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctls by which kernels of 2026 and later read reservations of any kind
// of disk. Older ones answer "invalid argument"; for SCSI disks they are not
// needed there, and NVMe disks cannot be used there.
const (
	ioctlReadKeys        = 0xc01070ce
	ioctlReadReservation = 0x801070cf
	mostKernelKeys       = 1024
)

// typeOfKernel maps the kernel's numbers for the type to SCSI's.
var typeOfKernel = map[uint32]int{1: 1, 2: 3, kernelWriteExclusiveRegistrantsOnly: WriteExclusiveRegistrantsOnly,
	4: 6, 5: 7, 6: 8}

// readByKernel reads where SCSI commands cannot be sent. Untested on a real
// NVMe disk.
func (d disk) readByKernel(r Reading) (Reading, error) {
	keys := make([]Key, mostKernelKeys)
	var pinned runtime.Pinner
	pinned.Pin(&keys[0])
	defer pinned.Unpin()
	list := struct {
		generation, count uint32
		keys              uintptr
	}{count: mostKernelKeys, keys: uintptr(unsafe.Pointer(&keys[0]))}
	held := struct {
		key              Key
		generation, kind uint32
	}{}
	for _, question := range []struct {
		command uintptr
		into    unsafe.Pointer
	}{{ioctlReadKeys, unsafe.Pointer(&list)}, {ioctlReadReservation, unsafe.Pointer(&held)}} {
		status, _, errno := unix.Syscall(unix.SYS_IOCTL, d.file.Fd(), question.command, uintptr(question.into))
		switch {
		case errno != 0:
			return r, fmt.Errorf("%w (%w)", errUnsupported, errno)
		case status != 0:
			return r, fmt.Errorf("device status 0x%x", status)
		}
	}
	switch {
	case list.count > mostKernelKeys:
		return r, fmt.Errorf("the disk has %d keys, more than can be read", list.count)
	case held.generation != list.generation:
		return r, fmt.Errorf("keys and reservation changed while they were read")
	}
	r.Generation, r.Keys, r.Holder, r.Type = list.generation, keys[:list.count], held.key, typeOfKernel[held.kind]
	return r, nil
}
