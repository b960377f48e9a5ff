package fencevm

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// initramfs is a cpio archive in the format that the kernel reads ("newc").
type initramfs struct {
	content bytes.Buffer
	number  int
}

const (
	modeFolder = 0o040755
	modeFile   = 0o100755
	modeDevice = 0o020600
	modeLink   = 0o120777
)

func (i *initramfs) add(name string, mode, major, minor int, content []byte) {
	i.number++
	fmt.Fprintf(&i.content, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		i.number, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name)+1, 0)
	i.content.WriteString(name + "\x00")
	i.pad()
	i.content.Write(content)
	i.pad()
}

func (i *initramfs) pad() {
	for i.content.Len()%4 != 0 {
		i.content.WriteByte(0)
	}
}

// buildInitramfs writes an archive with the guest program as init and as a resource
// agent, the modules in the order in which they load, and further programs by their
// path in the machine.
func buildInitramfs(path, guest string, modules []string, programs map[string]string) error {
	program, err := os.ReadFile(guest)
	if err != nil {
		return err
	}
	var image initramfs
	for _, folder := range []string{"dev", "proc", "sys", "tmp", "run", "modules", "var", "var/lib", "var/target",
		"var/target/pr", "etc", "srv",
		"usr", "usr/sbin", "usr/lib", "usr/lib/ocf", "usr/lib/ocf/resource.d", "usr/lib/ocf/resource.d/heartbeat"} {
		image.add(folder, modeFolder, 0, 0, nil)
	}
	image.add("dev/console", modeDevice, 5, 1, nil)
	image.add("dev/null", modeDevice, 1, 3, nil)
	image.add("init", modeFile, 0, 0, program)
	image.add("usr/lib/ocf/resource.d/heartbeat/Filesystem", modeLink, 0, 0, []byte("/init"))
	for name, file := range programs {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		image.add(strings.TrimPrefix(name, "/"), modeFile, 0, 0, content)
	}
	var order []string
	for _, module := range modules {
		content, err := os.ReadFile(module)
		if err != nil {
			return err
		}
		image.add("modules/"+filepath.Base(module), modeFile, 0, 0, content)
		order = append(order, filepath.Base(module))
	}
	image.add("modules/order", modeFile, 0, 0, []byte(strings.Join(order, "\n")))
	image.add("TRAILER!!!", 0, 0, 0, nil)
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := writer.Write(image.content.Bytes()); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}
