package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// tellMigration plays the story of one live move: asked about, refused, limited, hurried, given up,
// and by post-copy where nothing else arrives. It needs the lab: what a host lacks cannot be
// pretended.
func tellMigration(ctx context.Context, t *teller, world stage.World) error {
	if _, real := world.(*stage.Lab); !real {
		return errors.New("bridges and hypervisors cannot be pretended; this story needs the lab (root, Debian)")
	}
	s := &story{teller: t, cluster: &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "demo", Domains: domains,
		Services: busy(), Probes: true}}}
	s.cluster.Typed = func(node, command string, result stage.Result) { t.typed(world.Prompt(node), command, result) }
	return s.play(ctx, s.found, s.start, s.ask, s.refuse, s.mend, s.hurry, s.regret, s.insist, s.movesTold)
}

// busy are the services, with a guest of vm:web that writes faster to its memory than a slow move
// sends.
func busy() []stage.Service {
	list := slices.Clone(services)
	list[0].Guest.MemoryMiB, list[0].Guest.DirtyKiBPerSecond = 64, 12000
	return list
}

// ask tries a move without making it: both ends say what they have to say.
func (s *story) ask(ctx context.Context) error {
	s.headline("What would a live move of vm:web to node2 come to?")
	result := s.show(ctx, "node1", "clusvcadm", "-M", "vm:web", "-m", "node2", "--dry-run")
	s.check(result.OK() && strings.Contains(result.Output, "node2 can take it"), "node2 says that it can take it")
	s.check(strings.Contains(result.Output, "stands still for at most"), "node1 has measured what that would come to")
	return nil
}

// squatter is a VM that has the name on another host.
const squatter = "<domain type='qemu'><name>web</name><uuid>6f1d7e0a-0000-4000-8000-000000000001</uuid>" +
	"<memory unit='MiB'>16</memory><os><type arch='x86_64'>hvm</type></os></domain>"

// refuse takes from node2 what the VM needs there. It is asked before anything is sent.
func (s *story) refuse(ctx context.Context) error {
	s.headline("node2 loses its bridge, and somebody defines another VM of that name there")
	s.show(ctx, "node2", "sh", "-c", "ip link set br0 down && ip link set br0 name away")
	s.show(ctx, "node2", "sh", "-c", "echo \""+squatter+"\" | virsh define /dev/stdin")
	s.web.Reset()
	result := s.show(ctx, "node1", "clusvcadm", "-M", "vm:web", "-m", "node2")
	said := strings.Join(strings.Fields(result.Output), " ")
	s.check(!result.OK(), "the move is refused")
	s.check(strings.Contains(said, "bridge br0 is missing") && strings.Contains(said, "another VM is called web here"),
		"both are told at once, each with what to do about it")
	pause(ctx, 300*time.Millisecond)
	seen := s.web.Seen()
	s.check(seen.Answers && seen.Silence < 300*time.Millisecond, "the guest noticed nothing: silent for %s at most",
		span(seen.Silence))
	return nil
}

// mend gives it back, and the same command does it.
func (s *story) mend(ctx context.Context) error {
	s.headline("Both are mended; the same command moves it")
	s.show(ctx, "node2", "sh", "-c", "ip link set away name br0 && ip link set br0 up && virsh undefine web")
	return s.moveLive(ctx)
}

// slowly begins a move that would never end: less is sent than the guest writes.
func (s *story) slowly(ctx context.Context, target string) error {
	s.show(ctx, "node3", "clusvcadm", "-M", "vm:web", "-m", target, "--set", "bandwidth=1", "--wait", "0s")
	_, err := s.cluster.Wait(ctx, "vm:web is on its way", func(st api.Status) bool { return !stage.AllStarted(st) })
	pause(ctx, 3*time.Second)
	s.show(ctx, "node2", "clustat", "-l", "-s", "vm:web")
	return err
}

// hurry gives a slow move more bandwidth while it lasts.
func (s *story) hurry(ctx context.Context) error {
	s.headline("A move at 1 MiB/s to node1 is given more while it lasts")
	if err := s.slowly(ctx, "node1"); err != nil {
		return err
	}
	began := time.Now()
	result := s.show(ctx, "node3", "clusvcadm", "--tune", "vm:web", "--set", "bandwidth=400")
	s.check(result.OK(), "the limit is taken")
	status, err := s.cluster.Wait(ctx, "vm:web has arrived", func(st api.Status) bool {
		return stage.Owner(st, "vm:web") == "node1" && stage.AllStarted(st)
	})
	if err != nil {
		return err
	}
	s.checkOwner(status, "vm:web", "node1", "it arrived "+span(time.Since(began))+" after the change")
	return s.waitForAnswer(ctx)
}

// regret gives a move up in its middle.
func (s *story) regret(ctx context.Context) error {
	s.headline("Another move to node2 is given up in its middle")
	if err := s.slowly(ctx, "node2"); err != nil {
		return err
	}
	result := s.show(ctx, "node3", "clusvcadm", "--cancel", "vm:web")
	s.check(result.OK(), "the abort is asked for")
	status, err := s.cluster.Wait(ctx, "vm:web is at rest", stage.AllStarted)
	if err != nil {
		return err
	}
	s.checkOwner(status, "vm:web", "node1", "where it was")
	s.checkNowhereElse(ctx, "web", "node1")
	s.checkWriters()
	return s.waitForAnswer(ctx)
}

// insist moves a guest that writes faster than it is sent: a hybrid move gives pre-copy up.
func (s *story) insist(ctx context.Context) error {
	s.headline("At 8 MiB/s it would never arrive: the guest writes faster. By hybrid it does")
	s.web.Reset()
	result := s.show(ctx, "node3", "clusvcadm", "-M", "vm:web", "-m", "node2", "--set", "mode=hybrid", "--set",
		"bandwidth=8")
	s.check(result.OK(), "it is moved")
	status, err := s.cluster.Wait(ctx, "vm:web has arrived", stage.AllStarted)
	if err != nil {
		return err
	}
	s.checkOwner(status, "vm:web", "node2", "where it was sent")
	s.checkNowhereElse(ctx, "web", "node2")
	told := s.show(ctx, "node3", "clustat", "--events", "-s", "vm:web", "--limit", "4")
	s.check(strings.Contains(strings.Join(strings.Fields(told.Output), " "), "writes faster than its memory is copied"),
		"the timeline says when pre-copy was given up, and why")
	seen := s.web.Seen()
	s.check(seen.Answers, "the guest answers; silent for %s at most", span(seen.Silence))
	s.checkWriters()
	return nil
}

// movesTold looks at what is kept of all that.
func (s *story) movesTold(ctx context.Context) error {
	s.headline("What is kept of these moves")
	result := s.show(ctx, "node3", "clustat", "--moves", "-s", "vm:web")
	stayed := strings.Count(result.Output, "stayed")
	s.check(result.OK() && strings.Count(result.Output, "vm:web") >= 5 && stayed == 2,
		"three moves that arrived and two that did not, with their reasons")
	s.show(ctx, "node3", "clustat", "--events", "-s", "vm:web", "--limit", "12")
	return nil
}
