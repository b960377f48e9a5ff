package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// vault has UEFI variables and an emulated TPM. Its firmware does not hear the power button.
var vault = stage.Service{
	Guest:  lab.Guest{Name: "vault", Number: 64, MemoryMiB: 256, State: true},
	Domain: "stays", Settings: []string{"stop_timeout: 2s"},
}

const tpmStates = "/var/lib/libvirt/swtpm"

// retellState: libvirt deletes the state of a TPM with the VM of which it keeps no definition.
// It has to survive a restart, a relocation and the loss of a host, on shared storage like the
// disks.
func (f *fixture) retellState(t *testing.T, ctx context.Context) {
	needsFirmware(t)
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	for _, node := range f.Nodes() {
		f.shareTPMStates(t, ctx, node)
	}
	f.Plan.Services = append(slices.Clone(guests), vault)
	if err := f.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	f.vaultRunsOn(t, ctx, "node1")
	made := f.vaultState(t, ctx, "node1")
	same := func(after, node string) {
		t.Helper()
		if now := f.vaultState(t, ctx, node); now != made {
			t.Errorf("after %s its state on %s is another:\n%s\nwas\n%s", after, node, now, made)
		}
	}
	f.do(t, ctx, "node2", "clusvcadm", "-R", vault.Name())
	f.vaultRunsOn(t, ctx, "node1")
	same("a restart", "node1")
	f.do(t, ctx, "node2", "clusvcadm", "-d", vault.Name())
	same("a stop", "node1")
	f.do(t, ctx, "node2", "clusvcadm", "-e", vault.Name(), "-n", "node3")
	f.vaultRunsOn(t, ctx, "node3")
	same("a start on another node", "node3")
	if err := f.world.CutPower("node3"); err != nil {
		t.Fatal(err)
	}
	f.vaultRunsOn(t, ctx, "node1")
	same("the loss of its host", "node1")
	f.Plan.Services = guests
	f.do(t, ctx, "node2", "clusvcadm", "-d", vault.Name())
	if err := f.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	f.homeAgain(t, ctx, "node3")
}

func needsFirmware(t *testing.T) {
	t.Helper()
	for _, file := range []string{"/usr/bin/swtpm", "/usr/share/OVMF/OVMF_CODE_4M.fd"} {
		if _, err := os.Stat(file); err != nil {
			t.Skip("install the packages swtpm, swtpm-tools and ovmf: ", err)
		}
	}
}

// safe has a TPM that libvirt makes and forgets like any other: its definition does not say
// persistent_state, as none does that virt-manager wrote.
var safe = stage.Service{Guest: lab.Guest{Name: "safe", Number: 65, MemoryMiB: 256, State: true}, Domain: "stays"}

// retellImportedState: a VM with a TPM that libvirt kept is taken in. While it runs it is not, for
// its state would go with it; afterwards the cluster keeps what libvirt had, and says that it lies
// on one host for as long as it does.
func (f *fixture) retellImportedState(t *testing.T, ctx context.Context) {
	needsFirmware(t)
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	before := f.waitAtRest(t, ctx)
	for _, node := range f.Nodes() { // a report before this one may have had them share
		f.shell(t, ctx, node, "! mountpoint -q "+tpmStates+" || umount "+tpmStates)
	}
	const path = "/srv/cluster/safe.xml"
	if err := os.WriteFile(filepath.Join(f.world.SharedDirectory(), "safe.xml"), []byte(lab.GuestXML(safe.Guest)),
		0o600); err != nil {
		t.Fatal(err)
	}
	f.shell(t, ctx, "node1", "virsh define "+path+" && virsh start safe")
	made := f.stateOf(t, ctx, safe, "node1")
	f.refused(t, ctx, "node1", []string{"virsh shutdown safe"}, "clusterd", "vm", "import", "safe", "--domain", "stays")
	if now := f.stateOf(t, ctx, safe, "node1"); now != made {
		t.Errorf("an import that was refused changed its state:\n%s\nwas\n%s", now, made)
	}

	f.do(t, ctx, "node1", "virsh", "destroy", "safe")
	said := f.do(t, ctx, "node1", "clusterd", "vm", "import", "safe", "--domain", "stays")
	if !strings.Contains(said, tpmStates) {
		t.Errorf("the import does not warn of what lies on one host:\n%s", said)
	}
	f.warnedOfState(t, ctx, "clustat", "--why", safe.Name())
	f.startedOn(t, ctx, safe, "node1")
	f.warnedOfState(t, ctx, "clusterd", "doctor")
	same := func(after, node string) {
		t.Helper()
		if now := f.stateOf(t, ctx, safe, node); now != made {
			t.Errorf("after %s its state on %s is another:\n%s\nwas\n%s", after, node, now, made)
		}
	}
	same("its import and a start", "node1")
	f.stopped(t, ctx, safe, "node1")
	same("a stop", "node1")

	// Its administrator has all hosts have one folder, as the warning says.
	f.shell(t, ctx, "node1", "mkdir -p /srv/cluster/swtpm && cp -a "+tpmStates+"/. /srv/cluster/swtpm/")
	for _, node := range f.Nodes() {
		f.shareTPMStates(t, ctx, node)
	}
	made = f.stateOf(t, ctx, safe, "node3")
	f.startedOn(t, ctx, safe, "node3")
	same("a start on another node", "node3")
	if err := f.world.CutPower("node3"); err != nil {
		t.Fatal(err)
	}
	f.runsOn(t, ctx, safe, "node1")
	same("the loss of its host", "node1")
	f.told(t, ctx, before.Index, safe.Name(), tpmStates)
	f.stopped(t, ctx, safe, "node1")
	if err := f.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	f.homeAgain(t, ctx, "node3")
	f.checkWitness(t)
}

// stopped disables a guest whose firmware does not hear the power button, and does not wait the two
// minutes that it would be given.
func (f *fixture) stopped(t *testing.T, ctx context.Context, service stage.Service, node string) {
	t.Helper()
	said := f.operate(ctx, "node2", "-d", service.Name())
	f.waitForState(t, ctx, "node2", service, "stopping")
	f.do(t, ctx, node, "virsh", "destroy", service.Guest.Name)
	t.Log(f.ended(t, ctx, said))
	f.waitForState(t, ctx, "node2", service, "disabled")
}

// startedOn enables a service on a node and waits until it runs there.
func (f *fixture) startedOn(t *testing.T, ctx context.Context, service stage.Service, node string) {
	t.Helper()
	f.do(t, ctx, "node2", "clusvcadm", "-e", service.Name(), "-n", node)
	f.runsOn(t, ctx, service, node)
}

// warnedOfState holds that a command names the folder of the TPMs' states.
func (f *fixture) warnedOfState(t *testing.T, ctx context.Context, argv ...string) {
	t.Helper()
	result, err := stage.Run(ctx, f.world, "node1", argv...)
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(strings.Fields(result.Output), ""); !strings.Contains(said, tpmStates) {
		t.Errorf("%s does not warn of what lies on one host:\n%s", strings.Join(argv, " "), result.Output)
	}
}

// shareTPMStates puts the states of a host's TPMs on shared storage, as an administrator would.
func (f *fixture) shareTPMStates(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	f.shell(t, ctx, node, "mkdir -p /srv/cluster/swtpm "+tpmStates+" && mount --bind /srv/cluster/swtpm "+tpmStates)
}

func (f *fixture) vaultRunsOn(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if _, err := f.Wait(ctx, vault.Name()+" runs on "+node, func(s api.Status) bool {
		return stage.AllStarted(s) && stage.Owner(s, vault.Name()) == node
	}); err != nil {
		t.Fatal(err)
	}
}

// vaultState tells the files of the state apart from ones that were made anew: by their inodes.
func (f *fixture) vaultState(t *testing.T, ctx context.Context, node string) string {
	t.Helper()
	return f.stateOf(t, ctx, vault, node)
}

func (f *fixture) stateOf(t *testing.T, ctx context.Context, service stage.Service, node string) string {
	t.Helper()
	guest := service.Guest
	text := f.shell(t, ctx, node, "stat -c '%i %n' "+guest.Variables()+" "+tpmStates+"/"+guest.UUID()+"/tpm2")
	if !strings.Contains(text, guest.UUID()) {
		t.Fatalf("%s has no TPM on %s: %s", service.Name(), node, text)
	}
	return text
}
