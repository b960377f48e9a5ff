package e2e

import (
	"context"
	"os"
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
	for _, file := range []string{"/usr/bin/swtpm", "/usr/share/OVMF/OVMF_CODE_4M.fd"} {
		if _, err := os.Stat(file); err != nil {
			t.Skip("install the packages swtpm, swtpm-tools and ovmf: ", err)
		}
	}
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
	text := f.shell(t, ctx, node, "stat -c '%i %n' "+vault.Guest.Variables()+" "+tpmStates+"/"+vault.Guest.UUID()+"/tpm2")
	if !strings.Contains(text, vault.Guest.UUID()) {
		t.Fatalf("%s has no TPM on %s: %s", vault.Name(), node, text)
	}
	return text
}
