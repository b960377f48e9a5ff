package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeHostFiles writes the host's configuration into its own layer of /etc.
func writeHostFiles(plan hostPlan) error {
	management := addressIn(Management, plan.Number)
	files := map[string]string{
		"/etc/hostname":               plan.Name + "\n",
		"/etc/machine-id":             plan.MachineID + "\n",
		"/etc/hosts":                  hostsFile(plan.Hosts),
		"/etc/clusterd/hardware-uuid": plan.HardwareUUID + "\n",
		"/etc/libvirt/libvirtd.conf":  fmt.Sprintf(libvirtdConfiguration, plan.HardwareUUID, management),
		"/etc/libvirt/qemu.conf":      fmt.Sprintf(qemuConfiguration, management),
	}
	// libvirt's QEMU driver insists that this user exists, also when qemu.conf names another. Debian makes it in
	// libvirt-daemon-system, which wants systemd and polkit, so the lab does without and adds the lines itself.
	for path, line := range map[string]string{
		"/etc/passwd": "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin\n",
		"/etc/group":  "libvirt-qemu:x:64055:\n",
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains("\n"+string(content), "\nlibvirt-qemu:") {
			files[path] = strings.TrimRight(string(content), "\n") + "\n" + line
		}
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, directory := range []string{"/etc/libvirt/hooks", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt"} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func hostsFile(hosts int) string {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n")
	for number := 1; number <= hosts; number++ {
		fmt.Fprintf(&text, "%s node%d\n", addressIn(Management, number), number)
		fmt.Fprintf(&text, "%s bmc%d\n", addressIn(BMC, bmcOctet(number)), number)
	}
	fmt.Fprintf(&text, "%s hub\n", addressIn(Management, hubOctet))
	return text.String()
}

// The keepalive of one second and three misses makes libvirt notice a dead peer in about four seconds instead of half a
// minute; a test cannot wait for the default.
const libvirtdConfiguration = `host_uuid = "%s"
listen_tls = 0
listen_tcp = 1
listen_addr = "%s"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0770"
max_clients = 100
keepalive_interval = 1
keepalive_count = 3
log_filters = "4:*"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
`

const qemuConfiguration = `user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "%s"
keepalive_interval = 1
keepalive_count = 3
`
