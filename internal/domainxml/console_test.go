package domainxml

import (
	"strings"
	"testing"
)

// TestNoPasswordOfAConsoleEntersTheLog: it is refused with what to do instead, and is not repeated.
func TestNoPasswordOfAConsoleEntersTheLog(t *testing.T) {
	const before, after = "<domain><name>web</name><uuid>11111111-2222-3333-4444-555555555555</uuid>" +
		"<memory>1024</memory><vcpu>1</vcpu><devices>", "</devices></domain>"
	for console, refused := range map[string]bool{
		"<graphics type='vnc' port='-1' passwd='hush12'/>":                     true,
		"<graphics type='spice'/><graphics passwd=\"hush12\" type=\"spice\"/>": true,
		"<graphics type='vnc' port='-1' passwd=''/>":                           false,
		"<graphics type='vnc' listen='127.0.0.1'/>":                            false,
		"": false,
	} {
		_, faults := Read(before + console + after)
		if refused != (len(faults) > 0) {
			t.Errorf("%s: %v", console, faults)
		}
		for _, f := range faults {
			if !strings.Contains(f.Message, "qemu.conf") || strings.Contains(f.Message, "hush12") {
				t.Errorf("%s: %q", console, f.Message)
			}
		}
	}
}
