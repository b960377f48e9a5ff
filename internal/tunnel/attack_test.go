package tunnel

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// town is a cluster's authority, with whom it ever signed a certificate for, and the forwarders
// of some of them.
type town struct {
	t  *testing.T
	ca *pki.CA
	// keys are the fingerprints by the label that the test gives a machine.
	keys map[string]string
	dirs map[string]string
}

func newTown(t *testing.T) *town {
	t.Helper()
	ca, err := pki.NewCA("alpha", "c-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &town{t: t, ca: ca, keys: map[string]string{}, dirs: map[string]string{}}
}

// settle gives a machine a key and a certificate for that name.
func (w *town) settle(label, name string) {
	w.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		w.t.Fatal(err)
	}
	chain, err := w.ca.SignNode(request, name, nil, time.Now(), pki.NodeValidity)
	if err != nil {
		w.t.Fatal(err)
	}
	identity, err := pki.NewIdentity(key, chain)
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys[label], w.dirs[label] = identity.Self.Fingerprint, w.t.TempDir()
	if err := pki.SaveClient(w.dirs[label], identity); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) rosterPath(label string) string { return filepath.Join(w.dirs[label], "nodes.json") }

func (w *town) tell(label string, roster Roster) {
	w.t.Helper()
	if err := WriteRoster(w.rosterPath(label), roster); err != nil {
		w.t.Fatal(err)
	}
}

// security is what a machine's forwarder goes by. An attacker's believes in everybody.
func (w *town) security(label string) *Members {
	return NewMembers(w.dirs[label], w.rosterPath(label), slog.New(slog.DiscardHandler))
}

// forwarder runs one for a machine, with a libvirt that answers.
func (w *town) forwarder(label string) Config {
	w.t.Helper()
	config := testConfig(w.t)
	config.Security, config.IntentWait = w.security(label), 100*time.Millisecond
	config.LibvirtSocket = filepath.Join(config.Dir, "libvirt")
	echoing(w.t, config.LibvirtSocket)
	run(w.t, config)
	return config
}

// echoing answers each byte with itself, as long as the connection is open.
func echoing(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
}

// reach goes from one machine straight to another's port for migrations, without any forwarder of
// its own: its own end asks nobody. What comes back is an open stream or the refusal.
func (w *town) reach(from, to, address, kind, act string) (net.Conn, error) {
	identity, err := pki.LoadIdentity(w.dirs[from])
	if err != nil {
		w.t.Fatal(err)
	}
	friendly := pki.Trust{Standing: func(pki.Peer) pki.Standing { return pki.Standing{Kind: pki.StandingMember} }}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pki.Dial(ctx, pki.NewStore(identity, friendly), address, to, Protocol, pki.ChannelTunnelAPI)
	if err != nil {
		return nil, err
	}
	if err := greet(conn, header{Kind: kind, Act: act}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// everybody are the machines that ever had a certificate, with the name in it.
var everybody = map[string]string{
	"node1": "node1", "node2": "node2", "node3, removed": "node3", "node2, replaced": "node2", "ghost": "ghost",
}

// attacked is a cluster of node1 and node2 that node3 was removed from, node2 was replaced in, and
// whose authority's key is out.
func attacked(t *testing.T) (*town, Config, Roster) {
	t.Helper()
	w := newTown(t)
	for label, name := range everybody {
		w.settle(label, name)
	}
	roster := Roster{
		Nodes:   map[string]string{"node1": w.keys["node1"], "node2": w.keys["node2"]},
		Removed: map[string]time.Time{w.keys["node3, removed"]: time.Now()},
		Moves:   []Move{{Act: "1.7.0", From: "node2", To: "node1", Guest: guest9}},
	}
	w.tell("node1", roster)
	return w, w.forwarder("node1"), roster
}

func TestOnlyTheSourceOfAnOpenMigrationGetsIn(t *testing.T) {
	w, target, _ := attacked(t)
	for name, c := range map[string]struct{ from, kind, act, says string }{
		"a removed node":                {"node3, removed", "api", "1.7.0", "was removed from the cluster"},
		"a removed node, for memory":    {"node3, removed", "data", "1.7.0", "was removed from the cluster"},
		"a replaced key":                {"node2, replaced", "api", "1.7.0", pki.ErrStranger.Error()},
		"a key that nobody recorded":    {"ghost", "api", "1.7.0", pki.ErrStranger.Error()},
		"a member without a migration":  {"node2", "api", "1.8.0", ErrNotExpected.Error()},
		"a member, for memory, without": {"node2", "data", "1.8.0", ErrNotExpected.Error()},
		"an act with a longer name":     {"node2", "api", "1.7.01", ErrNotExpected.Error()},
		"an unknown kind":               {"node2", "shell", "1.7.0", "not a kind of stream"},
		"itself":                        {"node1", "api", "1.7.0", ErrNotExpected.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := w.reach(c.from, "node1", target.Listen, c.kind, c.act)
			if err == nil {
				_ = conn.Close()
				t.Fatal("it got in")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the refusal %q does not say %q", err, c.says)
			}
		})
	}
	for _, act := range []string{"1.7.0", "1.7.0.2"} { // also while it is settled
		conn, err := w.reach("node2", "node1", target.Listen, "api", act)
		if err != nil {
			t.Fatalf("the source itself, act %s: %v", act, err)
		}
		_ = conn.Close()
	}
}

func TestAMigrationThatIsToldAMomentLaterIsWaitedFor(t *testing.T) {
	w, target, roster := attacked(t)
	came := make(chan error, 1)
	go func() {
		conn, err := w.reach("node2", "node1", target.Listen, "api", "1.9.0")
		if err == nil {
			_ = conn.Close()
		}
		came <- err
	}()
	roster.Moves = append(roster.Moves, Move{Act: "1.9.0", From: "node2", To: "node1"})
	w.tell("node1", roster)
	if err := <-came; err != nil {
		t.Error(err)
	}
}

// TestARemovalCutsWhatIsOpen: a stream that was right when it began ends with its owner's
// membership.
func TestARemovalCutsWhatIsOpen(t *testing.T) {
	for name, change := range map[string]func(w *town, roster *Roster){
		"removed": func(w *town, roster *Roster) {
			delete(roster.Nodes, "node2")
			roster.Removed = maps.Clone(roster.Removed)
			roster.Removed[w.keys["node2"]] = time.Now()
		},
		"replaced":  func(w *town, roster *Roster) { roster.Nodes["node2"] = w.keys["node2, replaced"] },
		"forgotten": func(_ *town, roster *Roster) { delete(roster.Nodes, "node2") },
		"all forgotten": func(w *town, _ *Roster) {
			if err := os.Remove(w.rosterPath("node1")); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, target, roster := attacked(t)
			conn, err := w.reach("node2", "node1", target.Listen, "api", "1.7.0")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answered := make([]byte, len(hello9))
			if _, err := conn.Write(hello9); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, answered); err != nil || !bytes.Equal(answered, hello9) {
				t.Fatalf("before: %q, %v", answered, err)
			}
			began := time.Now()
			if change(w, &roster); name != "all forgotten" {
				w.tell("node1", roster)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := conn.Read(answered); err == nil || os.IsTimeout(err) {
				t.Fatalf("it lives on: %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it lived on for %s", took)
			}
		})
	}
}

// TestWithoutARosterNobodyGetsIn: the forwarder starts before its daemon has told it anything.
func TestWithoutARosterNobodyGetsIn(t *testing.T) {
	w, _, _ := attacked(t)
	w.settle("node9", "node9")
	target := w.forwarder("node9")
	if conn, err := w.reach("node1", "node9", target.Listen, "api", "1.7.0"); err == nil {
		_ = conn.Close()
		t.Error("a stranger got in")
	}
	if err := os.WriteFile(w.rosterPath("node9"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if conn, err := w.reach("node1", "node9", target.Listen, "api", "1.7.0"); err == nil {
		_ = conn.Close()
		t.Error("a stranger got in by a broken roster")
	}
}

// TestNoGuestGoesToWhoIsNoMember: the source's forwarder looks at who answers, too.
func TestNoGuestGoesToWhoIsNoMember(t *testing.T) {
	w, _, roster := attacked(t)
	for label, name := range everybody {
		if label == "node1" {
			continue
		}
		t.Run(label, func(t *testing.T) {
			open := roster
			open.Moves = []Move{{Act: "2.1.0", From: "node1", To: name}}
			w.tell("node1", open)
			// Whoever answers lets everybody in.
			w.tell(label, Roster{Nodes: map[string]string{"node1": w.keys["node1"]}, Moves: open.Moves})
			listener, err := w.security(label).Listen(t.Context(), freeAddress(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			security := w.security("node1")
			conn, err := security.Dial(t.Context(), name, listener.Addr().String())
			if err == nil {
				err = security.Admit(conn, kindData, "2.1.0", true)
				_ = conn.Close()
			}
			if member := label == "node2"; (err == nil) != member {
				t.Errorf("a member: %v, and it ended with %v", member, err)
			}
		})
	}
}

// TestANewKeyEndsTheForwarder: one that goes on with the old identity would be refused, and would
// let in whom the old cluster knew.
func TestANewKeyEndsTheForwarder(t *testing.T) {
	w, _, roster := attacked(t)
	config := testConfig(t)
	config.Security, config.Listen = w.security("node1"), freeAddress(t)
	ended := make(chan error, 1)
	go func() { ended <- RunForwarder(t.Context(), config) }()
	until(t, "it answers", func() bool {
		conn, _, err := hello(config.controlPath())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	old := w.dirs["node1"]
	w.settle("node1", "node1")
	for _, file := range []string{"node.key", "node.crt"} {
		text, err := os.ReadFile(filepath.Join(w.dirs["node1"], file))
		if err == nil {
			err = os.WriteFile(filepath.Join(old, file), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.tell("node1", roster)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it goes on with the old key")
	}
}

// TestWithoutItsDaemonAForwarderLetsNobodyIn: it would not hear of a removal.
func TestWithoutItsDaemonAForwarderLetsNobodyIn(t *testing.T) {
	w, _, _ := attacked(t)
	config := testConfig(t)
	config.Security, config.Deaf = w.security("node1"), time.Millisecond
	config.LibvirtSocket = filepath.Join(config.Dir, "libvirt")
	echoing(t, config.LibvirtSocket)
	run(t, config)
	time.Sleep(5 * time.Millisecond) // more than Deaf
	if conn, err := w.reach("node2", "node1", config.Listen, "api", "1.7.0"); err == nil {
		_ = conn.Close()
		t.Error("it let somebody in")
	}
	connect(t, config)
	conn, err := w.reach("node2", "node1", config.Listen, "api", "1.7.0")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// hello9 is a call that each migration begins with, as libvirt sends it: the list of ways to log
// in.
var hello9 = []byte{0, 0, 0, 28, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 66, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
