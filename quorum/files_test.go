package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/clusterd/clusterd/quorum/quorumtest"
)

// onDisk gives each node a folder of its own below dir.
func onDisk(t *testing.T, dir string) func(*Options) {
	return func(o *Options) {
		o.DataDir = filepath.Join(dir, o.ID)
		o.FreeBytesMin = 1
		o.Fatal = func(reason string) { t.Errorf("%s: fatal: %s", o.ID, reason) }
	}
}

func TestRestartKeepsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, onDisk(t, dir))
		c.leader()
		for i := range 30 {
			c.nodes[i%3].mustPropose(t, fmt.Sprint("key", i), "value")
		}
		if err := c.leader().log.Snapshot(); err != nil {
			t.Fatal(err)
		}
		if _, err := Inspect(filepath.Join(dir, "node1")); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second process opened the log: %v", err)
		}
		c.leader().mustPropose(t, "behind the snapshot", strings.Repeat("x", 1<<20))
		c.close()
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, onDisk(t, dir))
		defer c.close()
		c.leader()
		for _, n := range c.nodes {
			if err := n.log.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n.machine.get("key29") != "value" || len(n.machine.get("behind the snapshot")) != 1<<20 {
				t.Errorf("%s forgot what was acknowledged", n.id)
			}
		}
	})
	info, err := os.Stat(filepath.Join(dir, "node1"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder has mode %v, %v", info.Mode(), err)
	}
}

// A log whose beginning was compacted is worth nothing without its snapshot, however far it goes.
func TestALogWithoutItsSnapshotIsCut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(o *Options) {
			onDisk(t, dir)(o)
			o.TrailingEntries = 2
		})
		for i := range 30 {
			c.leader().mustPropose(t, fmt.Sprint("key", i), "value")
		}
		if err := c.leader().log.Snapshot(); err != nil {
			t.Fatal(err)
		}
		c.leader().mustPropose(t, "behind the snapshot", "value")
		c.close()
	})
	folder := filepath.Join(dir, "node1")
	whole, err := InspectHeld(folder)
	if err != nil || whole.LastIndex < 30 {
		t.Fatalf("%+v, %v", whole, err)
	}
	content, err := filepath.Glob(filepath.Join(folder, "snapshots/*/state.bin"))
	if err != nil || len(content) != 1 {
		t.Fatalf("%v, %v", content, err)
	}
	// A disk that gives nothing away says nothing about what lies on it.
	if err := os.Rename(content[0], content[0]+"-kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(content[0], 0o700); err != nil { // to read a folder is EISDIR
		t.Fatal(err)
	}
	if held, err := InspectHeld(folder); err == nil {
		t.Errorf("with a snapshot that cannot be read it holds %+v", held)
	}
	if err := errors.Join(os.Remove(content[0]), os.Rename(content[0]+"-kept", content[0])); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"snapshots/*/state.bin", "snapshots/*"} {
		found, err := filepath.Glob(filepath.Join(folder, part))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", part, found, err)
		}
		if err := os.RemoveAll(found[0]); err != nil {
			t.Fatal(err)
		}
		cut, err := InspectHeld(folder)
		if err != nil || cut.LastIndex != 0 || cut.LastTerm != 0 || cut.Term != whole.Term || cut.Life != whole.Life {
			t.Errorf("without %s it holds %+v, %v; with it %+v", part, cut, err, whole)
		}
	}
}

func TestRecoverAfterTheQuorumIsLost(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 5, onDisk(t, dir))
		c.leader().mustPropose(t, "key", "value")
		time.Sleep(time.Second)
		c.close()
	})
	before, err := Inspect(filepath.Join(dir, "node2"))
	if err != nil {
		t.Fatal(err)
	}
	if len(before.Members) != 5 || before.LastIndex < 2 {
		t.Fatalf("before: %+v", before)
	}
	err = Recover(filepath.Join(dir, "node2"), Member{ID: "node2", Address: "node2"},
		[]Member{{ID: "node5", Address: "node5"}})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, network: quorumtest.New()}
		defer c.close()
		c.add("node2", nil, onDisk(t, dir))
		c.add("node5", nil, onDisk(t, dir))
		leader := c.leader()
		leader.mustPropose(t, "key2", "value2")
		for _, n := range c.nodes {
			if err := n.log.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n.machine.get("key") != "value" || n.machine.get("key2") != "value2" {
				t.Errorf("%s lost entries", n.id)
			}
		}
		ids := func(members []Member) (ids []string) {
			for _, m := range members {
				ids = append(ids, m.ID)
			}
			return ids
		}
		if got := ids(leader.log.Members()); !slices.Equal(got, []string{"node2", "node5"}) {
			t.Errorf("members after the recovery: %v", got)
		}
	})
	if err := Recover(t.TempDir(), Member{ID: "a", Address: "a"}, nil); err == nil {
		t.Error("a folder without a log was recovered")
	}
}

// A leader whose volume is full refuses, hands over, and takes proposals through the new leader.
func TestFullVolumeHandsLeadershipOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := map[string]*atomic.Bool{}
		var changes atomic.Int32
		c := newCluster(t, 3, func(o *Options) {
			flag := &atomic.Bool{}
			full[o.ID] = flag
			o.volumeProbe = func() error {
				if flag.Load() {
					return errors.New("only 3 MiB are free")
				}
				return nil
			}
			o.HealthChanged = func(Health) { changes.Add(1) }
		})
		defer c.close()
		old := c.leader()
		old.mustPropose(t, "key", "value")
		full[old.id].Store(true)
		until(t, "leadership moves on", func() bool { return c.leader() != old })
		if health := old.log.Health(); health.Writable || health.Reason != "only 3 MiB are free" {
			t.Errorf("health %+v", health)
		}
		old.mustPropose(t, "key", "through the new leader")
		for _, n := range c.nodes {
			full[n.id].Store(true)
		}
		time.Sleep(5 * time.Second)
		if _, err := old.log.Propose(t.Context(), writeOf("key", "nowhere")); !errors.Is(err, ErrLogVolume) ||
			!strings.Contains(err.Error(), "3 MiB") {
			t.Errorf("propose when all volumes are full: %v", err)
		}
		full[old.id].Store(false)
		time.Sleep(5 * time.Second)
		if changes.Load() < 4 {
			t.Errorf("%d changes of health were told, 3 nodes filled up and one recovered", changes.Load())
		}
	})
}

// hungStore is a disk that stops answering.
type hungStore struct {
	raft.LogStore
	release chan struct{}
}

func (s hungStore) StoreLogs([]*raft.Log) error {
	<-s.release
	return errors.New("released")
}

func TestHungWriteEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reasons := make(chan string, 2)
		store := hungStore{raft.NewInmemStore(), make(chan struct{})}
		watched := &watchedLog{store, &writeWatchdog{limit: 10 * time.Second,
			fatal: func(r string) { reasons <- r }}, func(error) {}, &holding{applied: func() uint64 { return 0 }}}
		started := time.Now()
		done := make(chan error)
		go func() { done <- watched.StoreLogs(nil) }()
		reason := <-reasons
		if took := time.Since(started); took != 10*time.Second+afterPause || !strings.Contains(reason, "hangs") {
			t.Errorf("after %s: %s", took, reason)
		}
		close(store.release)
		if err := <-done; err == nil {
			t.Error("the failure of the write was hidden")
		}
	})
}

// brokenStable is a disk that refuses writes until it is repaired.
type brokenStable struct {
	raft.StableStore
	refusals int
}

func (s *brokenStable) SetUint64(key []byte, value uint64) error {
	if s.refusals > 0 {
		s.refusals--
		return errors.New("read-only file system")
	}
	return s.StableStore.SetUint64(key, value)
}

func TestUnwritableTermWaitsInsteadOfPanicking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var noted []error
		stable := &watchedStable{
			StableStore: &brokenStable{raft.NewInmemStore(), 4},
			watchdog:    &writeWatchdog{limit: time.Second, fatal: func(reason string) { t.Error(reason) }},
			note: func(err error) {
				if err != nil {
					noted = append(noted, err)
				}
			},
			closing: make(chan struct{}), holding: &holding{},
		}
		if err := stable.SetUint64(keyCurrentTerm, 7); err != nil {
			t.Fatal(err)
		}
		if term, err := stable.GetUint64(keyCurrentTerm); term != 7 || len(noted) != 4 {
			t.Errorf("term %d, %v, after %d refusals", term, err, len(noted))
		}
	})
}

// loopback is real TCP, for the figures.
type loopback struct{ net.Listener }

func (l loopback) Dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

func BenchmarkFollowerApplies(b *testing.B) {
	dir := b.TempDir()
	var members []Member
	var wires []*Wire
	for i := range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		wires = append(wires, NewWire(loopback{listener}, nil))
		members = append(members, Member{fmt.Sprint("node", i), listener.Addr().String(), true})
	}
	var logs []*Log
	for i, member := range members {
		log, err := Open(Options{
			ID: member.ID, Address: member.Address, Wire: wires[i], Bootstrap: members,
			DataDir: filepath.Join(dir, member.ID), Fatal: func(reason string) { b.Error(reason) },
		}, newRegister())
		if err != nil {
			b.Fatal(err)
		}
		logs = append(logs, log)
		defer wires[i].Close()
		defer log.Close()
	}
	for !logs[0].Role().IsLeader {
		for _, log := range logs[1:] {
			if log.Role().IsLeader {
				log.HandOver(b.Context(), members[0].ID)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	var commits, lags []time.Duration
	for b.Loop() {
		started := time.Now()
		committed, err := logs[0].Propose(b.Context(), writeOf("key", "value"))
		if err != nil {
			b.Fatal(err)
		}
		commit := time.Now()
		for _, log := range logs[1:] {
			if err := log.applier.wait(b.Context(), committed.Index); err != nil {
				b.Fatal(err)
			}
		}
		commits, lags = append(commits, commit.Sub(started)), append(lags, time.Since(commit))
		time.Sleep(time.Millisecond) // an idle log, as a cluster manager's mostly is
	}
	for name, figures := range map[string][]time.Duration{"commit": commits, "follower": lags} {
		slices.Sort(figures)
		b.ReportMetric(float64(figures[len(figures)/2].Microseconds()), name+"_p50_us")
		b.ReportMetric(float64(figures[len(figures)*99/100].Microseconds()), name+"_p99_us")
	}
}

// TestNobodyCutsWhatWasApplied: entries below what this node has applied are refused before
// anything of them is written, and the daemon is told; those behind it are taken, also over others.
func TestNobodyCutsWhatWasApplied(t *testing.T) {
	cut := ""
	disk := raft.NewInmemStore()
	store := &watchedLog{disk, &writeWatchdog{limit: time.Minute, fatal: func(string) {}}, func(error) {},
		&holding{applied: func() uint64 { return 3 }, cut: func(why string) { cut = why }}}
	entry := func(index, term uint64) *raft.Log { return &raft.Log{Index: index, Term: term} }
	for index := range uint64(5) {
		if err := disk.StoreLog(entry(index+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, first := range []uint64{1, 3} {
		cut = ""
		err := store.StoreLogs([]*raft.Log{entry(first, 2), entry(first+1, 2)})
		if err == nil || !strings.Contains(cut, "up to entry 3") {
			t.Errorf("entry %d was taken again: %v, the daemon was told %q", first, err, cut)
		}
	}
	var third raft.Log
	if err := disk.GetLog(3, &third); err != nil || third.Term != 1 {
		t.Errorf("entry 3, which was applied, is of term %d now: %v", third.Term, err)
	}
	cut = ""
	if err := store.StoreLog(entry(4, 2)); err != nil || cut != "" {
		t.Errorf("entry 4, which was not applied, is not taken from a new leader: %v, %q", err, cut)
	}
	if held := store.holding.now(); held.LastIndex != 4 || held.LastTerm != 2 {
		t.Errorf("it is said to hold %+v", held)
	}
}
