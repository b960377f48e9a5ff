package fencevm

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kernel is a Debian kernel, unpacked.
type kernel struct {
	image string
	// modules are the files by module name.
	modules map[string]string
}

// metaPackage always depends on Debian's newest kernel; the smaller cloud
// kernel lacks the hardware watchdog.
const metaPackage = "linux-image-amd64"

// wantedFolders bounds what is unpacked of half a gigabyte.
var wantedFolders = []string{
	"kernel/drivers/target/", "kernel/drivers/scsi/", "kernel/drivers/virtio/", "kernel/drivers/watchdog/",
	"kernel/drivers/net/virtio_net",
	"kernel/drivers/net/net_failover", "kernel/net/core/", "kernel/lib/", "kernel/crypto/", "kernel/arch/x86/crypto/",
	"kernel/block/", "kernel/fs/configfs/", "kernel/drivers/md/",
}

// fetchKernel gets the kernel from the cache or from Debian's archive, and
// skips the test where neither has it.
func fetchKernel(t *testing.T, cache string) kernel {
	t.Helper()
	unpacked := filepath.Join(cache, "kernel")
	if _, err := os.Stat(filepath.Join(unpacked, "complete")); err != nil {
		archive, err := download(t.Context(), cache)
		if err != nil {
			t.Skipf("no Debian kernel can be had (apt-get download %s): %v", metaPackage, err)
		}
		if err := unpack(t.Context(), archive, unpacked); err != nil {
			t.Fatal(err)
		}
	}
	k := kernel{image: filepath.Join(unpacked, "vmlinuz"), modules: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(unpacked, "*.ko*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no modules in %s: %v", unpacked, err)
	}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		k.modules[moduleName(name)] = file
	}
	return k
}

func moduleName(text string) string { return strings.ReplaceAll(text, "-", "_") }

func download(ctx context.Context, cache string) (string, error) {
	if found, _ := filepath.Glob(filepath.Join(cache, "linux-image-*.deb")); len(found) > 0 {
		return found[0], nil
	}
	out, err := run(ctx, cache, "apt-cache", "depends", metaPackage)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		name, found := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if !found || !strings.HasPrefix(name, "linux-image-") {
			continue
		}
		if _, err := run(ctx, cache, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name); err != nil {
			return "", err
		}
		archives, err := filepath.Glob(filepath.Join(cache, name+"_*.deb"))
		if err != nil || len(archives) == 0 {
			return "", fmt.Errorf("%s was not downloaded", name)
		}
		return archives[0], nil
	}
	return "", fmt.Errorf("%s names no kernel; apt-get update may help", metaPackage)
}

func run(ctx context.Context, dir, program string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// unpack takes the image and the wanted modules out of the package.
func unpack(ctx context.Context, archive, into string) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", archive)
	pipe, err := program.StdoutPipe()
	if err == nil {
		err = program.Start()
	}
	if err != nil {
		return err
	}
	problem := unpackFrom(tar.NewReader(pipe), into)
	if err := errors.Join(problem, program.Wait()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(into, "complete"), nil, 0o644)
}

func unpackFrom(archive *tar.Reader, into string) error {
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Base(header.Name)
		switch {
		case header.Typeflag != tar.TypeReg:
			continue
		case strings.Contains(header.Name, "/boot/vmlinuz"):
			name = "vmlinuz"
		case !strings.Contains(name, ".ko") || !wanted(header.Name):
			continue
		}
		content, err := io.ReadAll(archive)
		if err == nil {
			err = os.WriteFile(filepath.Join(into, name), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
}

func wanted(path string) bool {
	for _, folder := range wantedFolders {
		if strings.Contains(path, folder) {
			return true
		}
	}
	return false
}

// withDependencies lists module files in the order in which they load. A name
// without a file is built into the kernel.
func (k kernel) withDependencies(names ...string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		file, found := k.modules[moduleName(name)]
		if !found {
			return fmt.Errorf("module %s was not unpacked; see wantedFolders", name)
		}
		if seen[file] {
			return nil
		}
		seen[file] = true
		needs, err := dependencies(file)
		if err != nil {
			return err
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		files = append(files, file)
		return nil
	}
	for _, name := range names {
		if k.modules[moduleName(name)] == "" {
			continue
		}
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// dependencies reads what modinfo shows as "depends".
func dependencies(file string) ([]string, error) {
	module, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer func() { _ = module.Close() }()
	section := module.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s is no kernel module", file)
	}
	text, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(text), "\x00") {
		if list, found := strings.CutPrefix(field, "depends="); found && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
