package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapperRequest is struct dm_ioctl of linux/dm-ioctl.h, with room behind it.
type mapperRequest struct {
	version           [3]uint32
	size, start       uint32
	targets           uint32
	_                 int32
	flags, _, _       uint32
	device            uint64
	name              [128]byte
	uuid              [129]byte
	_                 [7]byte
	targetSpecAndText [512]byte
}

const (
	headerSize   = 312
	mapperCreate = 0xc138fd03
	mapperLoad   = 0xc138fd09
	// mapperResume is DM_DEV_SUSPEND without its flag.
	mapperResume = 0xc138fd06
)

// multipath is "multipath DISK": make one device of the two paths to a disk, as
// multipathd does elsewhere. It answers with the stable name.
func (n *node) multipath(_ context.Context, words []string) (any, error) {
	digits := strings.TrimPrefix(filepath.Base(words[0]), "wwn-0x")
	paths, err := awaitPaths(digits)
	if err != nil {
		return nil, err
	}
	var size uint64
	file, err := os.Open(words[0])
	if err != nil {
		return nil, err
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&size)))
	_ = file.Close()
	if errno != 0 {
		return nil, errno
	}
	table := fmt.Sprintf("0 0 1 1 round-robin 0 %d 1 %s 1", len(paths), strings.Join(paths, " 1 "))
	if err := mapDevice("shared", "mpath-3"+digits, size/512, table); err != nil {
		return nil, err
	}
	link := "/dev/disk/by-id/dm-uuid-mpath-3" + digits
	for range 100 {
		if _, err := os.Stat("/dev/dm-0"); err == nil {
			return link, os.Symlink("/dev/dm-0", link)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("/dev/dm-0 did not appear")
}

// awaitPaths returns the device numbers of both paths.
func awaitPaths(digits string) ([]string, error) {
	var paths []string
	for range 100 {
		paths = nil
		found, _ := filepath.Glob("/sys/block/sd*/device/wwid")
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil || strings.TrimSpace(string(text)) != "naa."+digits {
				continue
			}
			number, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(file)), "dev"))
			if err == nil {
				paths = append(paths, strings.TrimSpace(string(number)))
			}
		}
		if len(paths) == 2 {
			return paths, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("the disk %s has %d paths", digits, len(paths))
}

func mapDevice(name, uuid string, sectors uint64, table string) error {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = control.Close() }()
	do := func(command uintptr, fill func(*mapperRequest)) error {
		q := &mapperRequest{version: [3]uint32{4, 0, 0}, start: headerSize}
		q.size = uint32(unsafe.Sizeof(*q))
		copy(q.name[:], name)
		fill(q)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), command, uintptr(unsafe.Pointer(q))); errno != 0 {
			return fmt.Errorf("device mapper, %#x: %w", command, errno)
		}
		return nil
	}
	if err := do(mapperCreate, func(q *mapperRequest) { copy(q.uuid[:], uuid) }); err != nil {
		return err
	}
	err = do(mapperLoad, func(q *mapperRequest) {
		q.targets = 1
		spec := q.targetSpecAndText[:]
		binary.LittleEndian.PutUint64(spec[8:], sectors)
		copy(spec[24:40], "multipath")
		copy(spec[40:], table)
	})
	if err != nil {
		return err
	}
	return do(mapperResume, func(*mapperRequest) {})
}
