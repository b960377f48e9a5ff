package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/test/lab"
)

// retellLostLog: the folder of the log is emptied under a living key, while the only other node
// that is there was down when the newest entries were acknowledged. The two must not elect
// anybody, or these are forgotten.
func (f *fixture) retellLostLog(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1"})
	f.down(t, ctx, "node3")
	t.Log(f.ended(t, ctx, f.operate(ctx, "node1", "-d", mover.Name())))
	f.waitForState(t, ctx, "node2", mover, "disabled")
	before, err := f.StatusOf(ctx, "node2")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.world.Host("node1").Cut(lab.Management); err != nil {
		t.Fatal(err)
	}
	f.down(t, ctx, "node2")
	f.emptyLog(t, "node2")
	f.up(t, ctx, "node2")
	f.up(t, ctx, "node3")
	f.nobodyLeads(t, ctx, 12*time.Second, "node2", "node3")
	if err := f.world.Host("node1").Heal(lab.Management); err != nil {
		t.Fatal(err)
	}
	after, err := f.Wait(ctx, "all three follow one leader", func(s api.Status) bool {
		return s.Leader != "" && s.Index > before.Index && len(s.Nodes) == 3 &&
			!slices.ContainsFunc(s.Nodes, func(n api.Node) bool { return !n.Online })
	})
	if err != nil {
		t.Fatal(err)
	}
	if service := serviceOf(after, mover.Name()); service.StateText != "disabled" {
		t.Errorf("%s was disabled, which two nodes had acknowledged, and is %s", mover.Name(), service.StateText)
	}
	f.timelineTells(t, ctx, "node2", "it holds the log again")
	f.do(t, ctx, "node2", "clusvcadm", "-e", mover.Name(), "-n", "node1")
	f.waitAtRest(t, ctx)
	for _, guest := range guests {
		if err := f.world.CheckSingleWriter(guest.Guest); err != nil {
			t.Error(err)
		}
	}
}

// retellOlderFolder: a host's disk is taken back to a copy, as a snapshot of a machine does, so
// that nothing on it tells that more was acknowledged. The others know.
func (f *fixture) retellOlderFolder(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1"})
	folder, older := f.world.DataFolder("node2"), filepath.Join(t.TempDir(), "older")
	f.down(t, ctx, "node2")
	end, err := quorum.Inspect(membership.Folder(folder).LogDir()) // what is written down lags behind it
	if err != nil {
		t.Fatal(err)
	}
	held := end.LastIndex
	copied(t, ctx, folder, older)
	f.up(t, ctx, "node2")
	t.Log(f.ended(t, ctx, f.operate(ctx, "node1", "-d", mover.Name())))
	f.waitForState(t, ctx, "node2", mover, "disabled")
	if err := poll(ctx, func() bool { // the others write it down within a second
		return f.heldBy(t, "node1", "node2") > held && f.heldBy(t, "node3", "node2") > held
	}); err != nil {
		t.Fatalf("nobody remembers that node2 holds more than up to entry %d", held)
	}
	f.down(t, ctx, "node2")
	for _, old := range []string{"raft", "*.json"} {
		found, err := filepath.Glob(filepath.Join(folder, old))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s holds no %s: %v", folder, old, err)
		}
		for _, name := range found {
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	copied(t, ctx, older+"/.", folder)
	f.up(t, ctx, "node2")
	f.timelineTells(t, ctx, "node2", "an older copy of it was put back")
	f.timelineTells(t, ctx, "node2", "it holds the log again")
	f.waitForState(t, ctx, "node2", mover, "disabled")
	f.do(t, ctx, "node2", "clusvcadm", "-e", mover.Name(), "-n", "node1")
	f.waitAtRest(t, ctx)
	for _, guest := range guests {
		if err := f.world.CheckSingleWriter(guest.Guest); err != nil {
			t.Error(err)
		}
	}
}

// heldBy is how far the log of a node goes by what another one, or itself, has written down.
func (f *fixture) heldBy(t *testing.T, node, of string) uint64 {
	t.Helper()
	var kept struct {
		Mine   quorum.Held
		Others map[string]quorum.Held
	}
	text, err := os.ReadFile(filepath.Join(f.world.DataFolder(node), membership.HeldFile))
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	if node == of {
		return kept.Mine.LastIndex
	}
	return kept.Others[of].LastIndex
}

// copied copies a folder with the modes and owners of what is in it.
func copied(t *testing.T, ctx context.Context, from, to string) {
	t.Helper()
	if output, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s to %s: %v: %s", from, to, err, output)
	}
}

func (f *fixture) emptyLog(t *testing.T, node string) {
	t.Helper()
	folder := filepath.Join(f.world.DataFolder(node), "raft")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) == 0 {
		t.Fatalf("%s has no log to lose in %s: %v", node, folder, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
}

// nobodyLeads holds for a while that the nodes know no leader.
func (f *fixture) nobodyLeads(t *testing.T, ctx context.Context, length time.Duration, nodes ...string) {
	t.Helper()
	answers := 0
	for end := time.Now().Add(length); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		for _, node := range nodes {
			status, err := f.StatusOf(ctx, node)
			if err != nil {
				continue
			}
			answers++
			if status.Leader != "" && status.Quorate {
				t.Fatalf("%s follows %s, elected by a voter without its log", node, status.Leader)
			}
		}
	}
	if answers == 0 {
		t.Fatalf("none of %v answered in %s", nodes, length)
	}
}

func (f *fixture) timelineTells(t *testing.T, ctx context.Context, subject, words string) {
	t.Helper()
	if err := poll(ctx, func() bool {
		events, err := f.Events(ctx, f.Nodes()[0], 0)
		if err != nil {
			return false
		}
		for _, e := range events {
			if e.Subject == subject && strings.Contains(e.Why.String(), words) {
				return true
			}
		}
		return false
	}); err != nil {
		t.Errorf("the timeline does not say of %s: %s", subject, words)
	}
}

func serviceOf(s api.Status, name string) api.Service {
	for _, service := range s.Services {
		if service.Name == name {
			return service
		}
	}
	return api.Service{}
}
