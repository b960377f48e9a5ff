package lab

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed guest/tick.c guest/machine.h guest/devices.h guest/tick.ld
var guestSource embed.FS

// Guest describes a tiny guest without operating system.
type Guest struct {
	// Name is the domain's name and the name of its disk on the block server.
	Name string
	// Number, 1 to 199, is the last part of its address 10.77.0.Number and of its MAC.
	Number int
	// MemoryMiB defaults to 16.
	MemoryMiB int
	// DirtyKiBPerSecond makes it dirty memory from the start; UDP port 8 changes it later.
	DirtyKiBPerSecond int
	// NoDisk leaves the disk out; libvirt then has nothing against two of them.
	NoDisk bool
	// State gives it state beside its disk: UEFI variables in [Guest.Variables] and an emulated
	// TPM. Such a guest runs its firmware only and does not answer. It takes the packages ovmf and
	// swtpm.
	State bool
	// Bridge is what its interface is attached to; br0, the hosts' own way to the guests' cable, by
	// default.
	Bridge string
}

// Variables is the path, inside the hosts, of the UEFI variables of a guest with State. It lies
// on shared storage.
func (g Guest) Variables() string { return "/srv/cluster/nvram-" + g.Name + ".fd" }

// Address is the guest's address.
func (g Guest) Address() string { return addressIn(Guests, g.Number) }

// MAC is the guest's hardware address.
func (g Guest) MAC() string { return fmt.Sprintf(guestMACPattern, g.Number) }

// UUID is the guest's UUID in libvirt.
func (g Guest) UUID() string { return fmt.Sprintf("77777777-0000-4000-8000-%012x", g.Number) }

// SerialLog is the path, inside the hosts, of what the guest says on its serial line.
func (g Guest) SerialLog() string { return "/srv/cluster/serial/" + g.Name + ".log" }

// GuestXML makes the libvirt domain of a guest. Its disk is a network disk without any image
// lock, which libvirt counts as safe to migrate.
func GuestXML(g Guest) string {
	memory := g.MemoryMiB
	if memory == 0 {
		memory = 16
	}
	disk := ""
	if !g.NoDisk {
		disk = fmt.Sprintf(guestDiskXML, escape(g.Name), addressIn(Storage, hubOctet), blockServerPort)
	}
	words := fmt.Sprintf("ip=%s dirty=%d", g.Address(), g.DirtyKiBPerSecond)
	boot := fmt.Sprintf(guestKernelXML, words)
	if g.State {
		boot = fmt.Sprintf(guestFirmwareXML, escape(g.Variables()))
		disk += guestTPMXML
	}
	return fmt.Sprintf(guestXML, escape(g.Name), g.UUID(), memory, boot, disk, g.MAC(),
		escape(cmp.Or(g.Bridge, "br0")), escape(g.SerialLog()))
}

func escape(text string) string {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(text))
	return escaped.String()
}

const guestMachine = "pc-i440fx-7.2"

const guestXML = `<domain type='qemu'>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory unit='MiB'>%d</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
%s  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
%s    <controller type='usb' model='none'/>
    <interface type='bridge'><mac address='%s'/><source bridge='%s'/><model type='ne2k_pci'/></interface>
    <serial type='file'><source path='%s' append='on'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`

const guestKernelXML = `    <kernel>/srv/cluster/guest/tick.elf</kernel>
    <cmdline>%s</cmdline>
`

const guestFirmwareXML = `    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>%s</nvram>
`

const guestTPMXML = `    <tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
`

const guestDiskXML = `    <disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source protocol='nbd' name='%s'><host name='%s' port='%d'/></source>
      <target dev='hda' bus='ide'/>
    </disk>
`

// cacheDirectory keeps what is dear to make and good for every lab: the compiled guest, and
// libvirt's look at QEMU.
func cacheDirectory() string {
	root, err := os.UserCacheDir()
	if err != nil {
		root = os.TempDir()
	}
	return filepath.Join(root, "clusterd-lab")
}

type guestFile struct {
	name    string
	content []byte
}

// guestFiles lists the guest's source in the order of names, which embed.FS promises.
func guestFiles() ([]guestFile, error) {
	entries, err := guestSource.ReadDir("guest")
	if err != nil {
		return nil, err
	}
	var files []guestFile
	for _, entry := range entries {
		content, err := guestSource.ReadFile("guest/" + entry.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, guestFile{entry.Name(), content})
	}
	return files, nil
}

// buildGuest compiles the guest, or takes it from the cache where an earlier lab with the same
// source left it.
func buildGuest(ctx context.Context, target string) error {
	files, err := guestFiles()
	if err != nil {
		return err
	}
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%s\n%s\n", file.name, file.content)
	}
	cached := filepath.Join(cacheDirectory(), fmt.Sprintf("tick-%x.elf", sum.Sum(nil)[:8]))
	if _, err := os.Stat(cached); err != nil {
		if err := compileGuest(ctx, files, cached); err != nil {
			return fmt.Errorf("build the guest: %w", err)
		}
	}
	content, err := os.ReadFile(cached)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o644)
}

// compileGuest needs only gcc and ld: the code is freestanding, so no 32-bit libraries are
// involved.
func compileGuest(ctx context.Context, files []guestFile, target string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	directory, err := os.MkdirTemp("", "clusterd-guest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	inside := func(name string) string { return filepath.Join(directory, name) }
	for _, file := range files {
		if err := os.WriteFile(inside(file.name), file.content, 0o644); err != nil {
			return err
		}
	}
	compile := "gcc -m32 -march=i386 -Os -Wall -Wextra -ffreestanding -fno-builtin -fno-pic -fno-pie " +
		"-fno-stack-protector " +
		"-fno-asynchronous-unwind-tables -fcf-protection=none -mno-sse -mno-mmx -c -o " + inside("tick.o") + " " + inside(
		"tick.c")
	if err := runQuietly(ctx, "", strings.Fields(compile)...); err != nil {
		return err
	}
	if err := runQuietly(ctx, "", "ld", "-m", "elf_i386", "-s", "-T", inside("tick.ld"), "-o", inside("tick.elf"),
		inside("tick.o")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	content, err := os.ReadFile(inside("tick.elf"))
	if err != nil {
		return err
	}
	// Renaming into place keeps a second lab from reading half a file.
	partial := fmt.Sprintf("%s.%d", target, os.Getpid())
	if err := os.WriteFile(partial, content, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, target)
}
