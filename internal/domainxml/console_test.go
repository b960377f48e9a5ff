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

// TestNoSecretOfAnOptionEntersTheLog: nor of arguments that QEMU is given, where it is one for
// certain.
func TestNoSecretOfAnOptionEntersTheLog(t *testing.T) {
	const before = "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name>" +
		"<uuid>11111111-2222-3333-4444-555555555555</uuid><memory>1024</memory><vcpu>1</vcpu><q:commandline>"
	for arguments, refused := range map[[2]string]bool{
		{"-object", "secret,id=s0,data=hush12"}:              true,
		{"-object", "secret,data=hush12,,x,id=s0"}:           true,
		{"--object", "qom-type=secret,id=s0,data=hush12"}:    true,
		{"-spice", "port=5900,password=hush12"}:              true,
		{"-iscsi", "user=me,password=hush12"}:                true,
		{"-object", `{"qom-type":"secret","data":"hush12"}`}: true,
		{"-object", `{"qom-type":"rng","data":"hush12"}`}:    false,
		{"-object", "secret,id=s0,file=/etc/hush12"}:         false,
		{"-object", "secret,id=s0,file=/etc/x,,data=y"}:      false,
		{"-object", "rng-random,id=r,data=hush12"}:           false,
		{"-vnc", ":0,password=on"}:                           false,
		{"-vnc", ":0,password-secret=s0"}:                    false,
		{"-spice", "port=5900,password-secret=s0"}:           false,
		{"-spice", "port=5900,disable-ticketing=on"}:         false,
		{"-fw_cfg", "name=opt/x,string=secret,data=hush12"}:  false,
	} {
		text := before + "<q:arg value='" + arguments[0] + "'/><q:arg value='" + arguments[1] + "'/></q:commandline></domain>"
		_, faults := Read(text)
		if refused != (len(faults) > 0) {
			t.Errorf("%s: %v", arguments, faults)
		}
		for _, f := range faults {
			if !strings.Contains(f.Message, "a secret in an argument") || strings.Contains(f.Message, "hush12") {
				t.Errorf("%s: %q", arguments, f.Message)
			}
		}
	}
}
