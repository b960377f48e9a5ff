package assemble

import (
	"bufio"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// qemuConfiguration is where libvirt says as whom QEMU runs.
const qemuConfiguration = "/etc/libvirt/qemu.conf"

// defaultQEMUUsers are whom distributions build libvirt for: Debian, and Red
// Hat with its kin.
var defaultQEMUUsers = []string{"libvirt-qemu", "qemu"}

// qemuOwner is the user that QEMU runs as: it must be able to make and open
// the sockets of a migration. Root where nothing says otherwise.
func qemuOwner(configuration string) (uid, gid int) {
	names := defaultQEMUUsers
	if chosen := qemuUser(configuration); chosen != "" {
		names = []string{chosen}
	}
	for _, name := range names {
		if number, err := strconv.Atoi(strings.TrimPrefix(name, "+")); err == nil {
			return number, 0
		}
		if found, err := user.Lookup(name); err == nil {
			uid, _ = strconv.Atoi(found.Uid)
			gid, _ = strconv.Atoi(found.Gid)
			return uid, gid
		}
	}
	return 0, 0
}

// qemuUser reads the setting `user = "NAME"`; empty when it is not there.
func qemuUser(configuration string) string {
	file, err := os.Open(configuration)
	if err != nil {
		return ""
	}
	defer file.Close()
	chosen := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, found := strings.Cut(lines.Text(), "=")
		if found && strings.TrimSpace(key) == "user" {
			chosen = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return chosen
}
