package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is a Debian of its own, in which what the scripts ask systemd for is written down.
type root struct {
	*testing.T
	folder string
}

// newRoot has debootstrap fetch a Debian once, and copies it for the test.
func newRoot(t *testing.T) *root {
	t.Helper()
	needed(t, "debootstrap", "chroot")
	if os.Getuid() != 0 {
		t.Skip("packages are installed by root")
	}
	pristine := built(t, "root")
	if _, err := os.Stat(filepath.Join(pristine, "usr/bin/dpkg")); err != nil {
		output(t, "debootstrap", "--variant=minbase", "bookworm", pristine, "http://deb.debian.org/debian")
	}
	r := &root{T: t, folder: filepath.Join(t.TempDir(), "root")}
	output(t, "cp", "-a", pristine, r.folder)
	for _, program := range []string{"systemctl", "systemd-sysusers"} {
		r.write("/usr/bin/"+program, "#!/bin/sh\necho "+program+" \"$@\" >>/asked\n", 0o755)
	}
	if err := os.MkdirAll(filepath.Join(r.folder, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *root) write(path, text string, mode os.FileMode) {
	r.Helper()
	path = filepath.Join(r.folder, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		r.Fatal(err)
	}
}

func (r *root) has(path string) bool {
	_, err := os.Stat(filepath.Join(r.folder, path))
	return err == nil
}

// runs a program in it, and returns what was asked of systemd meanwhile.
func (r *root) runs(arguments ...string) (said string, asked []string, err error) {
	r.Helper()
	log := filepath.Join(r.folder, "asked")
	os.Remove(log) // it is not there where nothing was asked
	out, err := exec.Command("chroot", append([]string{r.folder}, arguments...)...).CombinedOutput()
	if text, readErr := os.ReadFile(log); readErr == nil {
		asked = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	return string(out), asked, err
}

// works runs what has to succeed, and asks systemd for exactly that.
func (r *root) works(want string, arguments ...string) string {
	r.Helper()
	said, asked, err := r.runs(arguments...)
	if err != nil {
		r.Fatalf("%v: %v\n%s", arguments, err, said)
	}
	if got := strings.Join(asked, "; "); got != want {
		r.Errorf("%v asked systemd for %q, want %q", arguments, got, want)
	}
	return said
}

func (r *root) bring(build string) {
	r.Helper()
	output(r.T, "cp", one(r.T, build, "deb"), filepath.Join(r.folder, build+".deb"))
}

const (
	member = "/var/lib/clusterd/membership.json"
	hook   = "/etc/libvirt/hooks/qemu"
	ours   = "#!/bin/sh\n# clusterd doorkeeper\nexec /usr/sbin/clusterd-doorkeeper\n"
)

// TestInstallUpgradeRemove goes through the life of the package on a host. In all of it the
// hand-over is never stopped and the daemon never stopped for good: both would move or end VMs.
func TestInstallUpgradeRemove(t *testing.T) {
	r := newRoot(t)
	r.bring("old")
	r.bring("new")
	r.works("systemd-sysusers clusterd.conf; systemctl daemon-reload", "dpkg", "-i", "/old.deb")
	if said := r.works("", "/usr/sbin/clusterd", "--version"); !strings.Contains(said, "0.0.0") {
		t.Errorf("the old version says %q", said)
	}
	for _, tool := range []string{"clustat", "clusvcadm", "clusterd-doorkeeper"} {
		if said, _, err := r.runs("/usr/sbin/"+tool, "-h"); err != nil && !strings.Contains(strings.ToLower(said), "usage") {
			t.Errorf("%s does not run: %v %s", tool, err, said)
		}
	}
	r.write(member, "{}", 0o600)
	r.write("/etc/clusterd/node.yaml", "name: node1\n", 0o644)
	r.write(hook, ours, 0o755)
	r.write(hook+".d/20-other", "#!/bin/sh\nexit 0\n", 0o755)

	upgraded := "systemd-sysusers clusterd.conf; systemctl daemon-reload; systemctl try-restart clusterd.service"
	r.works(upgraded, "dpkg", "-i", "/new.deb")
	if said := r.works("", "/usr/sbin/clusterd", "--version"); strings.Contains(said, " 0.0.0\n") {
		t.Errorf("the new version says %q", said)
	}
	r.works(upgraded, "dpkg", "-i", "/old.deb") // and back
	r.works(upgraded, "dpkg", "-i", "/new.deb")

	said, asked, err := r.runs("dpkg", "-r", "clusterd")
	if err == nil || !strings.Contains(said, "this host is a node of a cluster") || !r.has("/usr/sbin/clusterd") ||
		!r.has(hook) {
		t.Errorf("a node's package was removed: %v\n%s", err, said)
	}
	for _, line := range asked {
		if strings.Contains(line, "stop") || strings.Contains(line, "handover") {
			t.Errorf("the refused removal asked for %q", line)
		}
	}

	r.write("/var/lib/clusterd/removed.json", "{}", 0o600)
	r.works("systemctl disable clusterd.service clusterd-handover.service; systemctl daemon-reload",
		"dpkg", "-r", "clusterd")
	if r.has(hook) || !r.has(hook+".d/20-other") || r.has("/usr/sbin/clusterd") || !r.has(member) {
		t.Error("a removal has to take our hook and the programs, and to leave the data and others' hooks")
	}
	r.works("systemctl daemon-reload", "dpkg", "--purge", "clusterd")
	if r.has("/var/lib/clusterd") || !r.has("/etc/clusterd/node.yaml") {
		t.Error("a purge has to take the data of a node that was removed, and no file that it did not bring")
	}
}

// TestPurgeKeepsANodesData: its keys and its log are what a cluster is made of.
func TestPurgeKeepsANodesData(t *testing.T) {
	r := newRoot(t)
	r.bring("new")
	r.works("systemd-sysusers clusterd.conf; systemctl daemon-reload", "dpkg", "-i", "/new.deb")
	r.works("systemctl disable clusterd.service clusterd-handover.service; systemctl daemon-reload",
		"dpkg", "-r", "clusterd")
	r.write(member, "{}", 0o600) // founded meanwhile, by another way
	if said := r.works("systemctl daemon-reload", "dpkg", "--purge", "clusterd"); !r.has(member) {
		t.Errorf("the data of a node was purged: %s", said)
	}
}
