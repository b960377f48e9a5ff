package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cmd/clusterd/foreign"
	"github.com/clusterd/clusterd/internal/importing"
)

// A VM with a device of its host does not move live, whatever the source said of its moves.
func TestAnImportSaysWhatTiesAVMToItsHost(t *testing.T) {
	folder := t.TempDir()
	definition := "<domain type='kvm'><name>web</name><uuid>6f9619ff-8b86-d011-b42d-00cf4fc964f1</uuid>" +
		"<os><nvram>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram></os><devices><hostdev type='pci'><source>" +
		"<address domain='0' bus='3' slot='0' function='0'/></source></hostdev></devices></domain>"
	if err := os.WriteFile(filepath.Join(folder, "web.xml"), []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	for source, word := range map[string]string{
		`<cib><configuration><nodes><node id="1" uname="n1"/></nodes><resources>` +
			`<primitive id="web" class="ocf" provider="heartbeat" type="VirtualDomain">` +
			`<meta_attributes id="m"><nvpair id="a" name="allow-migrate" value="true"/></meta_attributes>` +
			`</primitive></resources></configuration></cib>`: "cib",
		`<cluster name="a"><clusternodes><clusternode name="n1" nodeid="1"/></clusternodes>` +
			`<rm><vm name="web" migrate="live"/></rm></cluster>`: "cluster.conf",
	} {
		definitions := importing.Definitions{ReadFile: foreign.ReadBounded, Folder: folder, Now: time.Now(), Ties: tiesOf}
		_, report, err := foreign.Translate(word, "source", []byte(source), definitions)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := report.Write(&out, "source"); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(out.String()), " ")
		for _, want := range []string{"it cannot move live while it has the host device PCI 0000:03:00.0",
			"vm:web: started on another node, it is without what is in its UEFI variables " +
				"(/var/lib/libvirt/qemu/nvram/web_VARS.fd)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the report does not say %q:\n%s", word, want, out.String())
			}
		}
		if strings.Contains(text, "guests move live") || strings.Contains(text, "here it moves live") {
			t.Errorf("%s: the report says that it moves live:\n%s", word, out.String())
		}
	}
}
