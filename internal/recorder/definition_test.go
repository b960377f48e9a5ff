package recorder

import "testing"

func TestADefinitionIsShownWithoutItsSecrets(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"a console's password", `<domain type="kvm"><name>web</name><graphics type='vnc' port="-1" passwd='` + secret +
			`' passwordValidTo="2026-05-01T12:00:00"/></domain>`,
			`<domain type="kvm"><name>web</name><graphics type="vnc" port="-1" passwd="(blanked)" ` +
				`passwordValidTo="(blanked)"/></domain>`},
		{"metadata, nested in itself",
			`<domain><metadata><metadata>` + secret + `</metadata>x</metadata><uuid>u</uuid></domain>`,
			`<domain><metadata>(blanked)</metadata><uuid>u</uuid></domain>`},
		{"QEMU's own arguments", `<domain xmlns:qemu='http://x'><qemu:commandline><qemu:arg value='-object secret,data=` +
			secret + `'/></qemu:commandline></domain>`,
			`<domain xmlns:qemu='http://x'><qemu:commandline>(blanked)</qemu:commandline></domain>`},
		{"a kernel's command line", `<domain><os><cmdline>root=/dev/vda key=` + secret + `</cmdline></os></domain>`,
			`<domain><os><cmdline>(blanked)</cmdline></os></domain>`},
		{"a network disk", `<domain><disk><source protocol="https" name="a" query="t=` + secret +
			`&amp;b"><cookies><cookie name="n">` + secret + `</cookie></cookies></source></disk></domain>`,
			`<domain><disk><source protocol="https" name="a" ` +
				`query="(blanked)"><cookies>(blanked)</cookies></source></disk></domain>`},
		{"a comment", `<domain><!-- old: ` + secret + ` --><vcpu>2</vcpu></domain>`, `<domain><vcpu>2</vcpu></domain>`},
		{"an empty private element", `<domain><metadata/><sysinfo type="` + secret + `"/></domain>`,
			`<domain><metadata/><sysinfo type="(blanked)"/></domain>`},
		{"a reference to a secret of libvirt stays", `<auth username="u"><secret type="ceph" uuid="1"/></auth>`,
			`<auth username="u"><secret type="ceph" uuid="1"/></auth>`},
		{"what cannot be read", `<domain><graphics passwd="` + secret, Blank},
		{"what does not fit", `<domain></graphics>`, Blank},
		{"nothing", ``, ``},
		{"a tree of resources", `[{"type":"a","name":"b","parameters":{"passwd":"x"}}]`,
			`[{"type":"a","name":"b","parameters":{"passwd":"` + Blank + `"}}]`},
		{"a damaged tree", `[{"type":`, Blank},
	} {
		if got := DefinitionWithoutSecrets(c.given); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add("<domain><graphics passwd='x'/><metadata>y<a/></metadata></domain>")
	f.Fuzz(func(t *testing.T, text string) {
		once := DefinitionWithoutSecrets(text)
		if again := DefinitionWithoutSecrets(once); again != once && once != Blank {
			t.Errorf("blanked again, %q becomes %q", once, again)
		}
	})
}
