package agents

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	anyNIC   = "<interface type='bridge'><source bridge='br0'/></interface>"
	namedNIC = "<interface type='bridge'><mac address='52:54:00:AA:00:01'/><source bridge='br0'/></interface>"
	otherNIC = "<interface type='bridge'><mac address='52:54:00:aa:00:02'/><source bridge='br0'/></interface>"
	card     = "<hostdev type='pci'><source><address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></source>" +
		"</hostdev>"
	stick    = "<hostdev type='usb'><source><vendor id='046d'/><product id='C077'/></source></hostdev>"
	stickNow = "<hostdev type='usb'><source><vendor id='0x046d'/><product id='0xc077'/><address bus='1' device='7'/>" +
		"</source></hostdev>"
	half   = "<memory model='dimm'><target><size unit='MiB'>512</size></target></memory>"
	odd    = "<memory model='dimm'><target><size unit='KB'>500000</size></target></memory>"
	module = "<memory model='dimm'><target><size unit='KiB'>1048576</size></target></memory>"
)

func withDevices(devices ...string) string {
	return "<domain><devices>" + strings.Join(devices, "") + "</devices></domain>"
}

// TestWhatWasPluggedInIsWhatNoDefinitionHas: libvirt gives names to what a definition leaves
// without, so the number counts first; and what was declared since is on its way.
func TestWhatWasPluggedInIsWhatNoDefinitionHas(t *testing.T) {
	for name, c := range map[string]struct{ live, started, declared, want string }{
		"nothing":               {namedNIC + stickNow + module, namedNIC + stick + module, namedNIC + stick + module, ""},
		"libvirt named it":      {namedNIC, anyNIC, anyNIC, ""},
		"a second interface":    {namedNIC + otherNIC, namedNIC, namedNIC, "network interface 52:54:00:aa:00:02"},
		"beside a nameless one": {namedNIC + otherNIC, anyNIC, anyNIC, "1 of its 2 network interfaces"},
		"beside a known one": {namedNIC + otherNIC, namedNIC, anyNIC,
			"network interface 52:54:00:aa:00:02"},
		"written in another way": {card + stickNow + module,
			strings.ReplaceAll(card, "0x", "") + stick +
				strings.NewReplacer("KiB", "GiB", "1048576", "1").Replace(module),
			strings.NewReplacer("domain='0x0000' ", "", "0x03", "3", "0x00", "0").Replace(card) + stick + module, ""},
		"more memory": {module + half, half, strings.NewReplacer("512", "524288", "MiB", "").Replace(half),
			"memory dimm 1048576 KiB"},
		"memory that libvirt made larger": {module + half, odd, odd, "1 of its 2 memory modules"},
		"it is declared now":              {namedNIC + otherNIC, namedNIC, namedNIC + otherNIC, ""},
		"it is declared no more":          {namedNIC + otherNIC, namedNIC + otherNIC, namedNIC, ""},
		"it was unplugged":                {"", namedNIC + card, namedNIC + card, ""},
		"devices and memory": {card + stickNow + module + module, module, module,
			"host device PCI 0000:03:00.1, host device USB 046d:c077, memory dimm 1048576 KiB"},
		"it comes and goes with a move": {
			strings.Replace(card, "<source>", "<teaming type='transient'/><source>", 1), "", "", ""},
		"it counts as a disk": {"<hostdev type='scsi'><source/></hostdev>", "", "", ""},
	} {
		got := strings.Join(Plugged(DevicesOf(withDevices(c.live)), withDevices(c.started), withDevices(c.declared)), ", ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWhatIsToldOfPluggedDevicesIsBounded(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("<interface><mac address='%d%s'/></interface>", i, strings.Repeat("x", 1000)))
	}
	live := DevicesOf(withDevices(many...))
	if len(live) > mostDevices {
		t.Errorf("%d devices of one VM are kept", len(live))
	}
	plugged := Plugged(live, withDevices())
	if len(plugged) != mostPlugged+1 || len(strings.Join(plugged, ", ")) > 1000 {
		t.Errorf("%d names: %q", len(plugged), plugged)
	}
	if DevicesOf("<domain") != nil || !slices.Equal(Plugged(nil, "<domain"), nil) {
		t.Error("what cannot be read has devices")
	}
}
