package cluster

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// manyVMs is a document of VMs with definitions as libvirt writes them, of 4 KiB each. What tells
// hosts and disks apart is drawn by chance, as it is outside: no packing makes that smaller.
func manyVMs(n int) Configure {
	c := Configure{Blobs: map[string]string{}}
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for i := range n {
		xml := fmt.Sprintf("<domain type='kvm'>\n  <name>vm%d</name>\n  <uuid>%08x-%04x-4%03x-8%03x-%012x</uuid>\n", i,
			random.Uint32(), random.Uint32()>>16, random.Uint32()>>20, random.Uint32()>>20, random.Uint64()>>16)
		for disk := range 3 {
			xml += fmt.Sprintf("    <disk type='block' device='disk'>\n      <driver name='qemu' type='raw' cache='none'/>\n"+
				"      <source dev='/dev/disk/by-id/wwn-0x%016x%016x'/>\n      <target dev='vd%c' bus='virtio'/>\n    </disk>\n",
				random.Uint64(), random.Uint64(), 'a'+disk)
		}
		for range 2 {
			xml += fmt.Sprintf("    <interface type='bridge'>\n      <mac address='52:54:00:%02x:%02x:%02x'/>\n"+
				"      <source bridge='br0'/>\n      <model type='virtio'/>\n    </interface>\n",
				random.IntN(256), random.IntN(256), random.IntN(256))
		}
		for slot := 0; len(xml) < 4<<10; slot++ {
			xml += fmt.Sprintf("    <controller type='pci' index='%d' model='pcie-root-port'>\n      <address type='pci' "+
				"domain='0x0000' bus='0x00' slot='0x%02x' function='0x%x'/>\n    </controller>\n", slot, slot/8, slot%8)
		}
		c.Blobs[fmt.Sprintf("%016x%016x%016x%016x", random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64())] = xml
		text.WriteString(xml)
	}
	c.Text = text.String()
	return c
}

func TestADocumentOfFourThousandVMsFitsIntoAnEntry(t *testing.T) {
	const largestEntry = 8 << 20 // quorum.MaxEntryBytes
	want := manyVMs(4000)
	data, err := Encode([]Command{want})
	if err != nil || len(data) > largestEntry {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	t.Logf("figure: vms=4000 bytes=%d", len(data))
	got, err := Decode(data)
	if err != nil || !reflect.DeepEqual(got[0], Command(want)) {
		t.Errorf("it comes back otherwise (%v)", err)
	}
}

func TestAnEntryKeepsTheSignsOfADefinitionAsTheyAre(t *testing.T) {
	data, err := Encode([]Command{Configure{Text: "<a b='&'/>"}})
	if err != nil || !bytes.Contains(data, []byte("<a b='&'/>")) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestAnEntryThatUnpacksWithoutEndIsRefused(t *testing.T) {
	var bomb bytes.Buffer
	writer := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range largestUnpacked>>20 + 1 {
		if _, err := writer.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{"a bomb": bomb.Bytes(), "a stump": bomb.Bytes()[:50], "a mark": packMark} {
		if _, err := Decode(data); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
