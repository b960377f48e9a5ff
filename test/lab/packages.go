package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Errors that say why this machine cannot be a lab.
var (
	// ErrNotRoot is returned by [Up] and [Check] for an ordinary user.
	ErrNotRoot = errors.New("the lab makes network namespaces, mounts and cgroups and so needs root; run it with sudo")
	// ErrNotDebian is returned by [Up] and [Check] when packages are missing and apt-get is not
	// there to install them.
	ErrNotDebian = errors.New("the lab installs its packages by Debian names, and this machine has no apt-get")
)

// programs maps each package to a file that shows it is there. Looking at files is quicker than
// asking dpkg, and finds what was installed by other means.
var programs = []struct{ name, file string }{
	{"qemu-system-x86", "/usr/bin/qemu-system-x86_64"},
	{"qemu-utils", "/usr/bin/qemu-img"},
	{"libvirt-daemon", "/usr/sbin/libvirtd"},
	{"libvirt-clients", "/usr/bin/virsh"},
	{"iproute2", "/sbin/ip"},
	{"openipmi", "/usr/bin/ipmi_sim"},
	{"ipmitool", "/usr/bin/ipmitool"},
	{"gcc", "/usr/bin/gcc"},
	{"libc6-dev", "/usr/include/stdio.h"},
	{"nftables", "/usr/sbin/nft"},
	{"e2fsprogs", "/sbin/mkfs.ext4"},
}

// Missing names the packages that the lab needs and this machine lacks.
func Missing() []string {
	var missing []string
	for _, program := range programs {
		if _, err := os.Stat(program.file); err != nil {
			missing = append(missing, program.name)
		}
	}
	return missing
}

// Check says why the lab cannot run here, or returns nil. Missing packages are no obstacle where
// apt-get is.
func Check() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	if len(Missing()) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%w (missing: %s)", ErrNotDebian, strings.Join(Missing(), " "))
	}
	return nil
}

// Tester is the part of testing.TB that ForTest uses; naming it keeps package testing out of
// programs.
type Tester interface {
	Helper()
	Skip(...any)
	Fatal(...any)
	Errorf(string, ...any)
	Cleanup(func())
}

// ForTest builds a lab for a test and closes it at the test's end, also after Ctrl-C. The test
// is skipped, with the reason, unless the environment variable CLUSTERD_LAB is set and this
// machine can be a lab with the packages it has.
func ForTest(t Tester, ctx context.Context, options Options) *Lab {
	t.Helper()
	if os.Getenv("CLUSTERD_LAB") == "" {
		t.Skip("needs a real lab: set CLUSTERD_LAB=1 (as root, on Debian)")
	}
	if err := Check(); err != nil {
		t.Skip(err)
	}
	if missing := Missing(); len(missing) > 0 {
		t.Skip("packages are missing, which \"lab up\" would install: " + strings.Join(missing, " "))
	}
	l, err := Up(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	l.CloseOnSignal()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return l
}

// installMissing installs what is absent, by name, and nothing else.
func (l *Lab) installMissing(ctx context.Context) error {
	missing := Missing()
	if len(missing) == 0 {
		return nil
	}
	l.logger.Info("installing packages", "names", strings.Join(missing, " "))
	install := append([]string{"apt-get", "install", "-y", "-q", "--no-install-recommends"}, missing...)
	for _, argv := range [][]string{{"apt-get", "update", "-q"}, install} {
		if err := runAptGet(ctx, argv); err != nil {
			return fmt.Errorf("install %s: %w; install them by hand, then try again", strings.Join(missing, " "), err)
		}
	}
	if still := Missing(); len(still) > 0 {
		return fmt.Errorf("packages %s were installed, but their files are not where Debian 12 has them",
			strings.Join(still, " "))
	}
	return nil
}

func runAptGet(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	command := groupCommand(ctx, argv)
	// The packages' services must not start on this machine: their libvirtd would be a stranger
	// beside the hosts' own.
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		text := output.String()
		if len(text) > 1500 {
			text = text[len(text)-1500:]
		}
		return fmt.Errorf("%s: %w: %s", strings.Join(argv[:2], " "), err, strings.TrimSpace(text))
	}
	return nil
}
