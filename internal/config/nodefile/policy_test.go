package nodefile

import (
	"strings"
	"testing"
)

func domainWith(inside string) string {
	return `<domain type="kvm" xmlns:qemu="` + qemuNamespace + `"><name>web</name>` + inside + `</domain>`
}

func TestAPolicyForbidsWhatItDoesNotAllow(t *testing.T) {
	for inside, power := range map[string]string{
		`<qemu:commandline><qemu:arg value="-x"/></qemu:commandline>`:         "commandline",
		`<q:commandline xmlns:q="` + qemuNamespace + `"/>`:                    "commandline",
		`<devices><emulator>/tmp/evil</emulator></devices>`:                   "emulator",
		`<devices><hostdev mode="subsystem" type="pci"/></devices>`:           "hostdev",
		`<devices><interface type="hostdev"/></devices>`:                      "hostdev",
		`<devices><filesystem type="mount"/></devices>`:                       "filesystem",
		`<os><kernel>/etc/shadow</kernel></os>`:                               "kernel",
		`<devices><serial type="file"><source path="/x"/></serial></devices>`: "chardev",
		`<seclabel type="none"/>`:                                             "unconfined",
		`<devices><disk type="file" device="disk"/></devices>`:                "file-disk",
		`<devices><disk type="block" device="disk"/></devices>`:               "block-disk",
	} {
		text := domainWith(inside)
		if why := (DefinitionPolicy{}).Refuses(text); why != "" {
			t.Errorf("without a policy %s is refused: %s", inside, why)
		}
		if why := (DefinitionPolicy{Declared: true}).Refuses(text); !strings.HasSuffix(why, "does not allow "+power) {
			t.Errorf("%s: %q, want %s to be forbidden", inside, why, power)
		}
		if why := (DefinitionPolicy{Declared: true, Allow: []string{power}}).Refuses(text); why != "" {
			t.Errorf("%s is allowed and refused: %s", inside, why)
		}
	}
	harmless := domainWith(`<devices><disk type="network"/><interface type="bridge"/><console type="pty"/></devices>`)
	if why := (DefinitionPolicy{Declared: true}).Refuses(harmless); why != "" {
		t.Errorf("a guest without powers is refused: %s", why)
	}
	for _, broken := range []string{"", "<domain><name>", strings.Repeat("<a>", 100),
		"<domain>" + strings.Repeat("<a/>", mostElements) + "</domain>"} {
		if why := (DefinitionPolicy{Declared: true}).Refuses(broken); !strings.Contains(why, "cannot be read") {
			t.Errorf("%.40s: %q", broken, why)
		}
	}
}

func TestAPolicyIsReadFromTheNodesFile(t *testing.T) {
	node, err := Parse("node.yaml", []byte("name: node1\ndefinitions: {allow: [block-disk]}\n"), "")
	if err != nil || !node.Definitions.Declared || len(node.Definitions.Allow) != 1 {
		t.Errorf("%+v, %v", node.Definitions, err)
	}
	_, err = Parse("node.yaml", []byte("name: node1\ndefinitions: {allow: [hostdevs]}\n"), "")
	if err == nil || !strings.Contains(err.Error(), "node.yaml:2:23") ||
		!strings.Contains(err.Error(), "Did you mean 'hostdev'?") {
		t.Errorf("%v", err)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(domainWith(`<devices><emulator>/tmp/evil</emulator></devices>`))
	f.Fuzz(func(t *testing.T, text string) {
		why := DefinitionPolicy{Declared: true}.Refuses(text)
		all := DefinitionPolicy{Declared: true}
		for power := range powers {
			all.Allow = append(all.Allow, power)
		}
		if why == "" && all.Refuses(text) != "" {
			t.Errorf("what nothing forbids is forbidden where everything is allowed: %q", text)
		}
	})
}
