package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// prepare mounts and loads what a machine needs, and reads its parameters.
func prepare() (map[string]string, error) {
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
		{"tmpfs", "/run"}, {"tmpfs", "/var/lib"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return nil, fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return nil, fmt.Errorf("mount control groups: %w", err)
	}
	parameters := map[string]string{}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(string(text)) {
		name, value, _ := strings.Cut(word, "=")
		parameters[name] = value
	}
	if err := loadModules(parameters); err != nil {
		return nil, err
	}
	return parameters, os.WriteFile("/proc/sys/kernel/sysrq", []byte("1"), 0)
}

func loadModules(parameters map[string]string) error {
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(order)) {
		base, _, _ := strings.Cut(name, ".")
		if (base == "softdog" || base == "i6300esb") && parameters["watchdog"] != base {
			continue
		}
		file, err := os.Open("/modules/" + name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(file.Fd()), parameters[base], 0)
		_ = file.Close()
		// A driver for hardware that is not in this machine refuses.
		if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("module %s: %w", name, err)
		}
	}
	return nil
}

// findDisks makes the stable names of the disks, which is udev's work elsewhere.
func (n *node) findDisks() {
	const byID = "/dev/disk/by-id"
	_ = os.MkdirAll(byID, 0o755)
	for range 100 {
		found, _ := filepath.Glob("/sys/block/sd*/device/wwid")
		for _, file := range found {
			text, err := os.ReadFile(file)
			digits, isNAA := strings.CutPrefix(strings.TrimSpace(string(text)), "naa.")
			if err != nil || !isNAA {
				continue
			}
			disk := filepath.Base(filepath.Dir(filepath.Dir(file)))
			_ = os.Symlink("/dev/"+disk, byID+"/wwn-0x"+digits)
		}
		n.disks, _ = filepath.Glob(byID + "/*")
		if len(n.disks) >= 2 || len(found) == 0 && !hasSCSI() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// hasSCSI reports whether the machine has an adapter that disks could hang on.
func hasSCSI() bool {
	hosts, _ := filepath.Glob("/sys/class/scsi_host/host*/proc_name")
	for _, host := range hosts {
		if text, err := os.ReadFile(host); err == nil && strings.Contains(string(text), "virtio") {
			return true
		}
	}
	return false
}
