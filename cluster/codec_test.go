package cluster

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// manyVMs is a document of VMs with definitions of 4 KiB, none like the other in its
// names, addresses and disks.
func manyVMs(n int) Configure {
	c := Configure{Blobs: map[string]string{}}
	var text strings.Builder
	for i := range n {
		xml := fmt.Sprintf("<domain type='kvm'><name>vm%d</name><uuid>4c4c4544-0038-5910-8052-%012x</uuid>", i, i*7919)
		for disk := 0; len(xml) < 4<<10; disk++ {
			xml += fmt.Sprintf("<disk type='block'><source dev='/dev/disk/by-id/wwn-0x%016x'/><target "+
				"dev='vd%d'/></disk>\n", i*6700417+disk, disk)
		}
		c.Blobs[fmt.Sprintf("%064x", i*104729)] = xml
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
