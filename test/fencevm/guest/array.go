package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	configuration = "/sys/kernel/config"
	arrayTarget   = configuration + "/target"
	portalGroup   = arrayTarget + "/iscsi/iqn.2026-01.test:array/tpgt_1"
	diskSize      = 16 << 20
)

// configureArray makes this machine a disk array with two disks in memory,
// reached by two initiators over iSCSI.
func configureArray() error {
	if err := configureNetwork("eth0", "10.0.2.15"); err != nil {
		return err
	}
	if err := unix.Mount("configfs", configuration, "configfs", 0, ""); err != nil {
		return fmt.Errorf("configfs: %w", err)
	}
	steps := script{}
	steps.folder(arrayTarget + "/iscsi")
	steps.folder(portalGroup)
	steps.write(portalGroup+"/attrib/authentication", "0")
	steps.write(portalGroup+"/attrib/demo_mode_write_protect", "0")
	for number := 1; number <= 2; number++ {
		steps.disk(number)
		steps.publish(number, fmt.Sprintf("%s/lun/lun_%d", portalGroup, number))
	}
	for _, node := range []string{"a", "b"} {
		entry := portalGroup + "/acls/iqn.2026-01.test:" + node
		steps.folder(entry)
		for number := 1; number <= 2; number++ {
			lun := fmt.Sprintf("lun_%d", number)
			steps.folder(entry + "/" + lun)
			steps.link(portalGroup+"/lun/"+lun, entry+"/"+lun+"/mapped")
		}
	}
	steps.folder(portalGroup + "/np/0.0.0.0:3260")
	steps.write(portalGroup+"/enable", "1")
	return steps.err
}

// script does one thing after the other and stops at the first that fails.
type script struct{ err error }

func (s *script) folder(path string) {
	if s.err == nil {
		s.err = os.MkdirAll(path, 0o755)
	}
}

func (s *script) write(path, text string) {
	if s.err == nil {
		s.err = os.WriteFile(path, []byte(text), 0o644)
	}
}

func (s *script) link(to, path string) {
	if s.err == nil {
		s.err = os.Symlink(to, path)
	}
}

func (s *script) disk(number int) {
	image := fmt.Sprintf("/tmp/disk%d", number)
	s.write(image, "")
	if s.err == nil {
		s.err = os.Truncate(image, diskSize)
	}
	entry := backing(number)
	s.folder(entry)
	s.write(entry+"/control", fmt.Sprintf("fd_dev_name=%s,fd_dev_size=%d", image, diskSize))
	s.write(entry+"/wwn/vpd_unit_serial", strings.Repeat(fmt.Sprint(number), 32))
	s.write(entry+"/enable", "1")
}

func backing(number int) string {
	return fmt.Sprintf("%s/core/fileio_%d/disk%d", arrayTarget, number, number)
}

// publish makes a disk a logical unit.
func (s *script) publish(number int, lun string) {
	s.folder(lun)
	s.link(backing(number), filepath.Join(lun, "mapped"))
}

// loopback makes this machine its own array: one disk that it reaches as two
// initiators. It answers with two stable names, one for each way.
func (n *node) loopback(context.Context, []string) (any, error) {
	if err := unix.Mount("configfs", configuration, "configfs", 0, ""); err != nil {
		return nil, fmt.Errorf("configfs: %w", err)
	}
	steps := script{}
	steps.disk(1)
	for _, way := range []string{"1", "2"} {
		group := arrayTarget + "/loopback/naa.600140500000000" + way + "/tpgt_1"
		steps.folder(group)
		steps.write(group+"/nexus", "naa.600140500000001"+way)
		steps.publish(1, group+"/lun/lun_0")
	}
	if steps.err != nil {
		return nil, steps.err
	}
	digits := "6001405" + strings.Repeat("1", 25)
	if _, err := awaitPaths(digits); err != nil {
		return nil, err
	}
	const byID = "/dev/disk/by-id/"
	names := []string{byID + "wwn-0x" + digits, byID + "scsi-3" + digits}
	for i, name := range names {
		if err := os.Symlink("/dev/sd"+string(rune('a'+i)), name); err != nil {
			return nil, err
		}
	}
	n.disks = names
	return names, nil
}

// interfaceAddress and interfaceFlags are two shapes of struct ifreq.
type interfaceAddress struct {
	name    [unix.IFNAMSIZ]byte
	family  uint16
	port    uint16
	address [4]byte
	_       [16]byte
}

type interfaceFlags struct {
	name  [unix.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// configureNetwork gives an interface an IPv4 address and a mask of 24 bits.
func configureNetwork(name, own string) error {
	parsed, err := netip.ParseAddr(own)
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(socket) }()
	set := func(what string, command uintptr, argument unsafe.Pointer) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), command, uintptr(argument)); errno != 0 {
			return fmt.Errorf("%s of %s: %w", what, name, errno)
		}
		return nil
	}
	address := interfaceAddress{family: unix.AF_INET, address: parsed.As4()}
	mask := interfaceAddress{family: unix.AF_INET, address: [4]byte{255, 255, 255, 0}}
	flags := interfaceFlags{flags: unix.IFF_UP | unix.IFF_RUNNING}
	copy(address.name[:], name)
	copy(mask.name[:], name)
	copy(flags.name[:], name)
	if err := set("address", unix.SIOCSIFADDR, unsafe.Pointer(&address)); err != nil {
		return err
	}
	if err := set("mask", unix.SIOCSIFNETMASK, unsafe.Pointer(&mask)); err != nil {
		return err
	}
	return set("flags", unix.SIOCSIFFLAGS, unsafe.Pointer(&flags))
}
