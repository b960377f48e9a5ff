package assemble

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/resources"
)

// What a VM names and this host has not is known before the VM is to start here.
func TestWhatVMsNameIsLookedFor(t *testing.T) {
	host := t.TempDir()
	for _, path := range []string{"srv/a.img", "sys/class/net/br0/x", "sys/bus/pci/devices/0000:03:00.0/x"} {
		if err := os.MkdirAll(filepath.Join(host, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	definition := "<domain type='kvm'><os><loader>/usr/share/OVMF.fd</loader>" +
		"<nvram>/made/by/libvirt.fd</nvram></os><devices>" +
		"<disk type='file'><source file='/srv/a.img'/></disk><disk device='cdrom'><source file='/iso/x.iso'/></disk>" +
		"<disk device='cdrom'/><disk type='network'><source protocol='rbd' name='p/i'/></disk>" +
		"<interface type='bridge'><source bridge='br0'/></interface>" +
		"<interface type='bridge'><source bridge='br9'/></interface>" +
		"<hostdev type='pci'><source><address domain='0' bus='3' slot='0' function='0'/></source></hostdev>" +
		"<hostdev type='pci'><source><address domain='0' bus='4' slot='0' function='0'/></source></hostdev>" +
		"</devices></domain>"
	root := &cluster.State{Document: cluster.Document{Domains: map[string]domain.Domain{
		"elsewhere": {Restricted: true, Members: []domain.Member{{Node: "node2"}}}}}}
	root.Blobs.Set("d", definition)
	for _, spec := range []resources.Spec{{Name: "vm:a", Definition: "d"},
		{Name: "vm:b", Definition: "d", Domain: "elsewhere"}, {Name: "vm:c", Definition: "d"}} {
		root.Services.Set(spec.Name, cluster.Service{Spec: spec})
	}
	runs, _ := root.Services.Get("vm:c")
	runs.Owner = "node1"
	root.Services.Set("vm:c", runs)
	wants, order := namedBy(root, "node1")
	gone, err := missingHere(t.Context(), host, order, nil)
	want := []domainxml.Named{{Kind: "path", Name: "/usr/share/OVMF.fd"}, {Kind: "path", Name: "/iso/x.iso"},
		{Kind: "pci", Name: "0000:04:00.0"}, {Kind: "interface", Name: "br9"}}
	if err != nil || !slices.Equal(gone, want) {
		t.Errorf("missing are %v, %v", gone, err)
	}
	for _, n := range gone {
		if !slices.Equal(wants[n], []string{"vm:a"}) {
			t.Errorf("%v is wanted by %v", n, wants[n])
		}
	}
}
