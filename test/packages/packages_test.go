package packages

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// built is the folder of the builds; the test is skipped where nobody made them.
func built(t *testing.T, parts ...string) string {
	t.Helper()
	folder := os.Getenv("CLUSTERD_PACKAGES")
	if folder == "" {
		t.Skip("the packages are built and tried by: make test-packages")
	}
	return filepath.Join(append([]string{folder}, parts...)...)
}

// one is the only package of a build of that kind.
func one(t *testing.T, build, kind string) string {
	t.Helper()
	found, err := filepath.Glob(built(t, build, "*."+kind))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has the %s packages %v: %v", build, kind, found, err)
	}
	return found[0]
}

// output is what a program says; it has to succeed.
func output(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	said, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, arguments, err, said)
	}
	return string(said)
}

// needed skips a test where a program is not there.
func needed(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s here", program)
		}
	}
}

func TestTheSameCommitGivesTheSameBytes(t *testing.T) {
	for _, kind := range []string{"deb", "rpm"} {
		first, err := os.ReadFile(one(t, "new", kind))
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(one(t, "again", kind))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) || filepath.Base(one(t, "new", kind)) != filepath.Base(one(t, "again", kind)) {
			t.Errorf("two builds give %d and %d bytes, which are not the same", len(first), len(second))
		}
	}
}

// shipped are the files of both packages.
var shipped = []string{
	"/usr/lib/systemd/system/clusterd-handover.service", "/usr/lib/systemd/system/clusterd.service",
	"/usr/lib/sysusers.d/clusterd.conf",
	"/usr/sbin/clustat", "/usr/sbin/clusterd", "/usr/sbin/clusterd-doorkeeper", "/usr/sbin/clusvcadm",
	"/usr/share/bash-completion/completions/clustat", "/usr/share/bash-completion/completions/clusterd",
	"/usr/share/bash-completion/completions/clusvcadm",
	"/usr/share/clusterd/clusterd-vms-only.conf", "/usr/share/clusterd/grafana/clusterd.json",
	"/usr/share/clusterd/prometheus/alerts.yaml", "/usr/share/clusterd/usr.sbin.clusterd",
	"/usr/share/doc/clusterd/LICENSE.gz", "/usr/share/doc/clusterd/changelog.Debian.gz",
	"/usr/share/doc/clusterd/changelog.gz", "/usr/share/doc/clusterd/copyright",
	"/usr/share/fish/vendor_completions.d/clustat.fish", "/usr/share/fish/vendor_completions.d/clusterd.fish",
	"/usr/share/fish/vendor_completions.d/clusvcadm.fish",
	"/usr/share/man/man8/clustat.8.gz", "/usr/share/man/man8/clusterd-fence.8.gz", "/usr/share/man/man8/clusterd.8.gz",
	"/usr/share/man/man8/clusvcadm.8.gz",
	"/usr/share/zsh/vendor-completions/_clustat", "/usr/share/zsh/vendor-completions/_clusterd",
	"/usr/share/zsh/vendor-completions/_clusvcadm",
}

func TestWhatIsInTheDeb(t *testing.T) {
	needed(t, "dpkg-deb")
	var files []string
	for line := range strings.Lines(output(t, "dpkg-deb", "-c", one(t, "new", "deb"))) {
		fields := strings.Fields(line)
		mode, owner, path := fields[0], fields[1], strings.TrimPrefix(fields[5], ".")
		if owner != "root/root" && owner != "0/0" {
			t.Errorf("%s belongs to %s", path, owner)
		}
		if mode[0] == 'd' {
			continue
		}
		want := "-rw-r--r--"
		if strings.HasPrefix(path, "/usr/sbin/") {
			want = "-rwxr-xr-x"
		}
		if mode != want {
			t.Errorf("%s has mode %s", path, mode)
		}
		files = append(files, path)
	}
	if slices.Sort(files); !slices.Equal(files, shipped) {
		t.Errorf("it has\n%s\nand should have\n%s", strings.Join(files, "\n"), strings.Join(shipped, "\n"))
	}
}

func TestWhatIsInTheRPM(t *testing.T) {
	needed(t, "rpm")
	var files []string
	for path := range strings.Lines(output(t, "rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILENAMES}\n]",
		one(t, "new", "rpm"))) {
		mode, name, _ := strings.Cut(strings.TrimSpace(path), " ")
		if mode[0] != 'd' {
			files = append(files, name)
		} else if !strings.Contains(name, "/clusterd") && !strings.HasPrefix(name, "/usr/share/zsh") {
			t.Errorf("it claims %s, which is everybody's", name)
		}
	}
	if slices.Sort(files); !slices.Equal(files, shipped) {
		t.Errorf("it has\n%s\nand should have\n%s", strings.Join(files, "\n"), strings.Join(shipped, "\n"))
	}
	scripts := output(t, "rpm", "-qp", "--scripts", one(t, "new", "rpm"))
	if !strings.Contains(scripts, "this host is a node of a cluster") {
		t.Errorf("its scripts are\n%s", scripts)
	}
}

// TestLintian: what Debian's own checker finds, but for what is said here.
func TestLintian(t *testing.T) {
	needed(t, "lintian")
	accepted := strings.Join([]string{
		// Ours call systemctl themselves, because what debhelper would have them do stops the hand-over.
		"maintainer-script-calls-systemctl",
		// libvirt runs the doorkeeper, nobody types it; and it is linked against nothing.
		"no-manual-page", "shared-library-lacks-prerequisites",
		// The license asks to be handed on, and an RPM has no common place for it.
		"extra-license-file",
		// The project is not in Debian.
		"initial-upload-closes-no-bugs",
	}, ",")
	said, err := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", accepted,
		one(t, "new", "deb")).CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, said)
	}
}
