package arrival

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const definition = `<domain type='kvm'>
  <name>web</name><uuid>AAAA-1</uuid><memory unit='GiB'>2</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <cpu mode='custom' match='exact'><model>Haswell</model><feature policy='require' name='avx2'/></cpu>
  <devices>
    <emulator>/usr/bin/qemu</emulator>
    <disk type='file' device='disk'><driver type='qcow2'/><source file='/srv/web.qcow2'/><target dev='vda'/></disk>
    <disk type='block' device='disk'><driver type='raw'/><source dev='/dev/vg/data'/><target dev='vdb'/></disk>
    <disk type='file' device='cdrom'><target dev='sda'/></disk>
    <interface type='bridge'><source bridge='br-blue'/></interface>
    <interface type='network'><source network='red'/></interface>
    %s
  </devices>
</domain>`

// hostWith makes a host on which everything is that the definition needs.
func hostWith(t *testing.T) (h *Host, root string) {
	t.Helper()
	root = t.TempDir()
	put(t, root, "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
	put(t, root, "usr/bin/qemu", "")
	put(t, root, "dev/vg/data", "")
	put(t, root, "srv/base.qcow2", string(qcow2("")))
	put(t, root, "srv/web.qcow2", string(qcow2("base.qcow2")))
	if err := os.MkdirAll(filepath.Join(root, "sys/class/net/br-blue/bridge"), 0o755); err != nil {
		t.Fatal(err)
	}
	h = NewHost(root)
	h.find = func(string) error { return nil }
	return h, root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// qcow2 is the beginning of an image on top of another.
func qcow2(backing string) []byte {
	image := make([]byte, 512, 512+len(backing))
	binary.BigEndian.PutUint32(image, qcow2Magic)
	binary.BigEndian.PutUint32(image[4:], 3)
	if backing != "" {
		binary.BigEndian.PutUint64(image[8:], 512)
		binary.BigEndian.PutUint32(image[16:], uint32(len(backing)))
	}
	return append(image, backing...)
}

func needs(t *testing.T, more string) Needs {
	t.Helper()
	n, err := NeedsOf(fmt.Sprintf(definition, more))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// told checks what each blocker begins with.
func told(t *testing.T, list []Blocker, want ...string) {
	t.Helper()
	if len(list) != len(want) {
		t.Fatalf("%d blockers, want %d: %s", len(list), len(want), Sentence(list))
	}
	for i, b := range list {
		if !strings.Contains(b.What, want[i]) || b.Do == "" {
			t.Errorf("blocker %d is %q, want %q and what to do", i, b, want[i])
		}
	}
}

func TestWhatADefinitionNeeds(t *testing.T) {
	n := needs(t, "<tpm><backend type='emulator'/></tpm>")
	if n.Title != "web" || n.UUID != "aaaa-1" || n.Machine != "pc-q35-7.2" || n.Type != "kvm" || !n.TPM ||
		n.Memory <= 2<<30 || n.Memory > 2<<30+128<<20 {
		t.Errorf("%+v", n)
	}
	want := "<cpu mode='custom' match='exact'><model>Haswell</model><feature policy='require' name='avx2'/></cpu>"
	if n.CPU != want {
		t.Errorf("the processor is %s", n.CPU)
	}
	if want := []Image{{"/usr/bin/qemu", "emulator", false}, {"/srv/web.qcow2", "disk vda", true},
		{"/dev/vg/data", "disk vdb", false}}; !slices.Equal(n.Images, want) {
		t.Errorf("the images are %+v", n.Images)
	}
	if !slices.Equal(n.Bridges, []string{"br-blue"}) || !slices.Equal(n.Networks, []string{"red"}) {
		t.Errorf("bridges %v, networks %v", n.Bridges, n.Networks)
	}
	for _, bad := range []string{"", "<domain", "<domain><memory unit='parsec'>1</memory></domain>",
		"<domain><memory unit='TiB'>9999999999</memory></domain>"} {
		if _, err := NeedsOf(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestAHostThatHasEverythingTakesIt(t *testing.T) {
	h, _ := hostWith(t)
	told(t, h.Blockers(t.Context(), needs(t, ""), 0))
	told(t, h.Blockers(t.Context(), needs(t, "<hostdev type='pci'><teaming type='transient'/></hostdev>"+
		"<interface type='hostdev'><teaming type='transient'/></interface>"), 0)) // libvirt takes it off and on
}

func TestAllBlockersAreToldAtOnce(t *testing.T) {
	h, root := hostWith(t)
	h.find = func(string) error { return errors.New("none") }
	put(t, root, "proc/meminfo", "MemAvailable: 1000000 kB\n")
	for _, gone := range []string{"sys/class/net/br-blue", "srv/base.qcow2", "dev/vg/data"} {
		if err := os.RemoveAll(filepath.Join(root, gone)); err != nil {
			t.Fatal(err)
		}
	}
	list := h.Blockers(t.Context(), needs(t, `<tpm><backend type='emulator'/></tpm><hostdev type='usb'/>
		<filesystem><target dir='share'/></filesystem>`), 0)
	told(t, list, "host device (usb)", `directory "share"`, "bridge br-blue is missing", "976 MiB are available",
		"swtpm", "the image behind disk vda, /srv/base.qcow2, is not here", "disk vdb, /dev/vg/data, is not here")
}

func TestMemoryThatIsPromisedIsNotGivenTwice(t *testing.T) {
	h, _ := hostWith(t)
	told(t, h.Blockers(t.Context(), needs(t, ""), 2<<30), "2048 MiB of which are promised")
}

func TestHugePagesAreCountedByThemselves(t *testing.T) {
	h, root := hostWith(t)
	put(t, root, "proc/meminfo", "MemAvailable: 1000 kB\n") // they are no part of this
	n := needs(t, "")
	n.HugePages = true
	told(t, h.Blockers(t.Context(), n, 0), "there are none here")
	put(t, root, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1000\n")
	told(t, h.Blockers(t.Context(), n, 0), "it needs 2048 MiB in huge pages, and 2000 MiB are free")
	put(t, root, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n")
	told(t, h.Blockers(t.Context(), n, 0))
	if backed, err := NeedsOf("<domain><memoryBacking><hugepages/></memoryBacking></domain>"); err != nil ||
		!backed.HugePages {
		t.Errorf("%+v, %v", backed, err)
	}
}

func TestAnInterfaceThatIsNoBridge(t *testing.T) {
	h, root := hostWith(t)
	if err := os.Remove(filepath.Join(root, "sys/class/net/br-blue/bridge")); err != nil {
		t.Fatal(err)
	}
	told(t, h.Blockers(t.Context(), needs(t, ""), 0), "br-blue is no bridge")
}

func TestChainsThatCannotBeRead(t *testing.T) {
	for name, image := range map[string][]byte{
		"is none":       []byte(strings.Repeat("x", 600)),
		"too short":     []byte("QFI"),
		"does not end":  qcow2("web.qcow2"),
		"that the name": qcow2(strings.Repeat("x", 1500)),
	} {
		h, root := hostWith(t)
		put(t, root, "srv/web.qcow2", string(image))
		told(t, h.Blockers(t.Context(), needs(t, ""), 0), name)
	}
	h, root := hostWith(t)
	put(t, root, "srv/web.qcow2", string(qcow2("nbd://elsewhere/x"))) // another protocol's, which QEMU opens itself
	told(t, h.Blockers(t.Context(), needs(t, ""), 0))
}

// A server that cannot be reached from here is told; one of several is enough.
func TestServersOfDisks(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	good := listener.Addr().(*net.TCPAddr).Port
	shut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bad := shut.Addr().(*net.TCPAddr).Port
	shut.Close()
	h, _ := hostWith(t)
	disk := func(ports ...int) string {
		text := "<disk type='network'><source protocol='nbd' name='d'>"
		for _, port := range ports {
			text += fmt.Sprintf("<host name='127.0.0.1' port='%d'/>", port)
		}
		return text + "</source><target dev='vdc'/></disk>"
	}
	told(t, h.Blockers(t.Context(), needs(t, disk(bad, good)), 0))
	told(t, h.Blockers(t.Context(), needs(t, disk(bad)), 0), "the server of disk vdc, 127.0.0.1:")
}

// Only so many looks at storage that hangs are left behind.
func TestStorageThatHangs(t *testing.T) {
	h, _ := hostWith(t)
	for range mostHanging {
		h.hanging <- struct{}{}
	}
	late, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	told(t, h.Blockers(late, needs(t, ""), 0), "earlier looks at storage hang")
	<-h.hanging // one comes back, and the next look need not be refused
	told(t, h.Blockers(t.Context(), needs(t, ""), 0))
}

func TestASentenceEnds(t *testing.T) {
	var list []Blocker
	for i := range 20 {
		list = append(list, Blocker{What: fmt.Sprintf("blocker %d", i)})
	}
	if text := Sentence(list); !strings.HasSuffix(text, "blocker 11; and 8 more") {
		t.Error(text)
	}
	if text := needs(t, "").Found(); text != "2112 MiB of memory, 3 files and disks, 2 networks" {
		t.Error(text)
	}
}

// TestOnlyImagesAreOpened: the image behind another one is named by what a guest may have written.
// A device that acts when it is opened is told, and not opened.
func TestOnlyImagesAreOpened(t *testing.T) {
	h, root := hostWith(t)
	for _, name := range []string{"dev/watchdog", "srv/pipe"} {
		path := filepath.Join(root, name)
		mode, device := uint32(syscall.S_IFIFO|0o600), 0
		if name == "dev/watchdog" {
			mode, device = syscall.S_IFCHR|0o600, 1<<8|3 // the kernel's /dev/null
		}
		if err := syscall.Mknod(path, mode, device); errors.Is(err, fs.ErrPermission) {
			continue // only root makes devices
		} else if err != nil {
			t.Fatal(err)
		}
		put(t, root, "srv/web.qcow2", string(qcow2("/"+name)))
		told(t, h.image(Image{What: "disk vda", Path: "/srv/web.qcow2", Chain: true}),
			"the image behind disk vda, /"+name+", cannot be read here: it is neither a file nor a block device")
	}
}
