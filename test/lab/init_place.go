package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// overlaid are the directories in which a host sees the machine's files below its own. The upper
// layers lie in the host's directory on the real disk, so what a host writes there survives its
// power cuts.
var overlaid = []string{"/etc", "/var/lib", "/var/log", "/var/cache"}

// bound directories lie directly on the real disk: what is kept there must behave as on a real
// host, fsync included.
var bound = map[string]string{
	"etc-clusterd":     "/etc/clusterd",
	"var-lib-clusterd": "/var/lib/clusterd",
}

var devices = []string{"null", "zero", "full", "random", "urandom", "tty", "net/tun", "userfaultfd", "fuse", "kmsg"}

func mountHost(plan hostPlan) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mountDevices(plan.path("dev")); err != nil {
		return err
	}
	for _, directory := range overlaid {
		if err := overlay(plan, directory); err != nil {
			return err
		}
	}
	// What libvirt found out about QEMU is the same for all hosts and all labs of this machine, and
	// libvirt itself checks whether it is still true.
	if err := bindDirectory(plan.Capabilities, "/var/cache/libvirt/qemu/capabilities"); err != nil {
		return err
	}
	for source, target := range bound {
		if err := bindDirectory(plan.path(source), target); err != nil {
			return err
		}
	}
	// A fresh sysfs shows this namespace's interfaces, and hides the machine's cgroups: the hosts
	// would fight over one tree.
	fileSystems := []struct{ kind, target, data string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"tmpfs", "/run", "mode=755"}, {"tmpfs", "/srv", "mode=755"},
	}
	for _, each := range fileSystems {
		if err := unix.Mount(each.kind, each.target, each.kind, unix.MS_NOSUID, each.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", each.kind, each.target, err)
		}
	}
	for _, directory := range []string{"/run/lock", "/run/libvirt", "/run/clusterd"} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	if err := bindDirectory(plan.Shared, "/srv/cluster"); err != nil {
		return err
	}
	return bindIdentity(plan)
}

// bindIdentity gives the host a boot id of its own. The kernel's is the same in all namespaces
// and would make a boot of a host invisible.
func bindIdentity(plan hostPlan) error {
	identities := []struct{ file, content, target string }{
		{"boot-id", plan.BootID, "/proc/sys/kernel/random/boot_id"},
		{"product-uuid", plan.HardwareUUID, "/sys/class/dmi/id/product_uuid"},
	}
	for _, identity := range identities {
		file := plan.path(identity.file)
		if err := os.WriteFile(file, []byte(identity.content+"\n"), 0o444); err != nil {
			return err
		}
		err := unix.Mount(file, identity.target, "", unix.MS_BIND, "")
		if errors.Is(err, os.ErrNotExist) && identity.file == "product-uuid" {
			continue // A machine without DMI; /etc/clusterd/hardware-uuid stands in for it.
		}
		if err != nil {
			return fmt.Errorf("bind over %s: %w", identity.target, err)
		}
	}
	return nil
}

func overlay(plan hostPlan, directory string) error {
	name := strings.ReplaceAll(strings.Trim(directory, "/"), "/", "-")
	upper, work := plan.path("overlay", name), plan.path("overlay", name+".work")
	for _, path := range []string{upper, work} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,index=off", directory, upper, work)
	if err := unix.Mount("overlay", directory, "overlay", 0, data); err != nil {
		return fmt.Errorf("overlay on %s (the lab's directory must lie on an ordinary file system such as ext4): %w",
			directory, err)
	}
	return nil
}

func bindDirectory(source, target string) error {
	for _, path := range []string{source, target} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	return nil
}

// mountDevices gives the host a /dev without kvm. The node must be absent, not just useless:
// while it can be opened but QEMU cannot use it, libvirtd throws its capability cache away and
// probes QEMU a dozen times at every call.
func mountDevices(staging string) error {
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", staging, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, directory := range []string{"net", "pts", "shm", "mqueue"} {
		if err := os.Mkdir(filepath.Join(staging, directory), 0o755); err != nil {
			return err
		}
	}
	for _, device := range devices {
		source, target := "/dev/"+device, filepath.Join(staging, device)
		if _, err := os.Stat(source); err != nil {
			continue
		}
		if err := os.WriteFile(target, nil, 0o644); err != nil {
			return err
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", source, err)
		}
	}
	if err := unix.Mount("devpts", filepath.Join(staging, "pts"), "devpts", 0,
		"newinstance,ptmxmode=0666,mode=620,gid=5"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := unix.Mount("tmpfs", filepath.Join(staging, "shm"), "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /dev/shm: %w", err)
	}
	links := map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1",
		"stderr": "fd/2"}
	for name, destination := range links {
		if err := os.Symlink(destination, filepath.Join(staging, name)); err != nil {
			return err
		}
	}
	return unix.Mount(staging, "/dev", "", unix.MS_BIND|unix.MS_REC, "")
}

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
	// libvirt's QEMU driver insists that this user exists, also when qemu.conf names another.
	// Debian makes it in libvirt-daemon-system, which wants systemd and polkit, so the lab does
	// without and adds the lines itself.
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
	if err := installSystemctl(plan); err != nil {
		return err
	}
	for _, directory := range []string{"/etc/libvirt/hooks", "/var/lib/libvirt", "/var/log/libvirt",
		"/var/cache/libvirt"} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// installSystemctl puts the lab's systemctl before the machine's, which could reach no systemd
// from here.
func installSystemctl(plan hostPlan) error {
	if err := os.MkdirAll(hostTools, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(hostTools, "systemctl"), []byte(systemctlScript(plan)), 0o755)
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

// The keepalive of one second and three misses makes libvirt notice a dead peer in about four
// seconds instead of half a minute; a test cannot wait for the default.
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
