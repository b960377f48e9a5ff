package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/test/stage"
)

// onlyHere makes on a node what the VM below names: two files, a bridge, a libvirt network, a
// storage pool.
const onlyHere = `mkdir -p /srv/only/pool && touch /srv/only/live.iso /srv/only/data.img &&
ip link add only0 type bridge && cat >/srv/only/net.xml <<END
<network><name>only-net</name><forward mode='bridge'/><bridge name='only0'/></network>
END
virsh net-define /srv/only/net.xml && virsh net-start only-net &&
virsh pool-define-as only-pool dir --target /srv/only/pool && virsh pool-start only-pool`

const takeAway = `virsh net-destroy only-net; virsh net-undefine only-net; virsh pool-destroy only-pool
virsh pool-undefine only-pool; ip link del only0; rm -rf /srv/only`

// boundName is a VM that names all of that; it is declared and never started.
const boundName = "vm:bound"

const boundDeclaration = boundName + `:
    autostart: false
    definition: |
      <domain type='qemu'>
        <name>bound</name>
        <uuid>77777777-0000-4000-8000-0000000000bb</uuid>
        <memory unit='MiB'>16</memory>
        <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
        <devices>
          <disk type='file' device='disk'><source file='/srv/only/data.img'/><target dev='hda' bus='ide'/></disk>
          <disk type='volume' device='disk'><source pool='only-pool' volume='v'/><target dev='hdb' bus='ide'/></disk>
          <disk type='file' device='cdrom'><source file='/srv/only/live.iso'/>
            <target dev='hdc' bus='ide'/><readonly/></disk>
          <interface type='bridge'><source bridge='only0'/></interface>
          <interface type='network'><source network='only-net'/></interface>
        </devices>
      </domain>`

// named are the things as doctor calls them.
var named = []string{"path /srv/only/live.iso", "path /srv/only/data.img", "interface only0",
	"network only-net", "pool only-pool"}

// retellOnOneHost: what a VM names is on one host only. Doctor tells by day, so that no failover
// finds it out by night.
func (f *fixture) retellOnOneHost(t *testing.T, ctx context.Context) {
	f.waitAtRest(t, ctx)
	defer f.shell(t, ctx, "node1", takeAway)
	defer f.shell(t, ctx, "node2", takeAway)
	f.shell(t, ctx, "node1", onlyHere)
	f.Plan.Trees = []string{boundDeclaration}
	if err := f.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		f.Plan.Trees = nil
		if err := f.Apply(ctx); err != nil {
			t.Fatal(err)
		}
		f.waitAtRest(t, ctx)
	}()
	f.lacks(t, ctx, "node1")
	f.lacks(t, ctx, "node2", named...)

	// One thing after the other comes to node2 as well, and is named no more.
	for number, line := range []string{
		"mkdir -p /srv/only/pool && touch /srv/only/live.iso", "touch /srv/only/data.img", "ip link add only0 type bridge",
		"echo \"<network><name>only-net</name><forward mode='bridge'/><bridge name='only0'/></network>\"" +
			" >/srv/only/net.xml && " +
			"virsh net-define /srv/only/net.xml && virsh net-start only-net",
		"virsh pool-define-as only-pool dir --target /srv/only/pool && virsh pool-start only-pool",
	} {
		f.shell(t, ctx, "node2", line)
		f.lacks(t, ctx, "node2", named[number+1:]...)
	}
	// What is defined and not active starts no VM either.
	f.shell(t, ctx, "node2", "virsh net-destroy only-net && virsh pool-destroy only-pool")
	f.lacks(t, ctx, "node2", "network only-net", "pool only-pool")
}

// findingOf begins a finding of doctor: how grave it is, and on which node.
var findingOf = regexp.MustCompile(`^[A-Z]+ +(\S+)`)

// foundOn is what doctor says of one node, in one line: it tells of all of them.
func foundOn(report, node string) string {
	var words []string
	of := ""
	for line := range strings.Lines(report) {
		if m := findingOf.FindStringSubmatch(line); m != nil {
			of = m[1]
		}
		if of == node {
			words = append(words, strings.Fields(line)...)
		}
	}
	return strings.Join(words, " ")
}

// lacks asks doctor on a node, and holds that it names what the node lacks for the VM, and
// nothing else.
func (f *fixture) lacks(t *testing.T, ctx context.Context, node string, things ...string) {
	t.Helper()
	result, err := stage.Run(ctx, f.world, node, "clusterd", "doctor")
	if err != nil {
		t.Fatal(err)
	}
	said := foundOn(result.Output, node)
	sentence := fmt.Sprintf("%s could not start here", boundName)
	if strings.Contains(said, sentence) != (len(things) > 0) {
		t.Errorf("on %s doctor says %q where %v are missing:\n%s", node, sentence, things, result.Output)
	}
	missing := map[string]bool{}
	for _, thing := range things {
		missing[thing] = true
	}
	for _, thing := range named {
		if strings.Contains(said, thing) != missing[thing] {
			t.Errorf("on %s %s is missing: %v; doctor says:\n%s", node, thing, missing[thing], result.Output)
		}
	}
}
