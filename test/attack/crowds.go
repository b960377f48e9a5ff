package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// crowds are the attacks of those who may open connections and are not wanted to stop anything
// by it: each is measured by a failover that happens while it runs.
var crowds = []attack{
	{"a viewer takes all connections, with bodies that never end", crowded(loudly("viewer slots"))},
	{"a viewer asks for the newest state without end", crowded(loudly("viewer reads"))},
	{"a local user takes all connections of the socket", crowded(loudly("local slots"))},
	{"a local user sends bodies of 16 MiB", crowded(loudly("local memory"))},
	{"a local user asks for the newest state without end", crowded(loudly("local reads"))},
	{"machines without a certificate take all places of joiners", crowded(loudly("joiner slots"))},
	{"machines without a certificate send bodies of 16 MiB", crowded(loudly("joiner memory"))},
	{"strangers begin handshakes without end", crowded(loudly("handshakes"))},
	{"users of the nodes' own hosts begin handshakes without end", crowded(loudly("next door"))},
	{"strangers send junk to the ports of heartbeats and gossip", crowded(loudly("junk"))},
	{"strangers take all connections of the page and of the metrics", crowded(loudly("port slots"), admitsVisitor,
		answersMonitor)},
	{"somebody tries to log in at the page without end", crowded(loudly("logins"), admitsVisitor)},
	{"a viewer opens the page's stream without end", crowded(loudly("streams"), admitsVisitor)},
	{"a local user makes login links without end", crowded(loudly("local links"), admitsVisitor)},
	{"a viewer asks what if without end", crowded(loudly("what if"))},
	{"a removed node sends signs of life in the name of the host that loses its power", hauntedTown},
	{"an administrator sends documents that are bombs without end", crowded(loudly("documents"))},
}

// crowd makes a noise until the context ends, and returns an error where it ended before.
type crowd struct {
	// local: it is another user of the host, whom only root can play.
	local bool
	make  func(ctx context.Context, t *town) error
}

// crowded measures a failover while a crowd makes its noise, has others ask for what they want of
// the daemons meanwhile, and looks at what the daemons have become of it.
func crowded(noise crowd, meanwhile ...func(ctx context.Context, t *town) error) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		if noise.local && os.Geteuid() != 0 {
			return errLeftOut
		}
		t, err := s.town(ctx)
		if err != nil {
			return err
		}
		before, err := t.sizes()
		if err != nil {
			return err
		}
		noisy, quiet := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- noise.make(noisy, t) }()
		took, err := t.disturbed(ctx)
		for _, ask := range append(meanwhile, answersRoot) {
			if err == nil {
				err = ask(ctx, t)
			}
		}
		quiet()
		err = errors.Join(err, <-ended)
		if err != nil {
			return err
		}
		ratio := took.Seconds() / t.usual.Seconds()
		s.worst = max(s.worst, ratio)
		after, err := t.sizes()
		if err != nil {
			return err
		}
		fmt.Printf("         failover %s, %.2f times the usual %s; memory %+d MiB, log %+d KiB at most\n",
			took.Round(time.Millisecond), ratio, t.usual.Round(time.Millisecond),
			(after.memory-before.memory)>>20, (after.log-before.log)>>10)
		switch {
		case ratio > worstRatio:
			return fmt.Errorf("failover took %.2f times its usual time", ratio)
		case after.memory-before.memory > mostMemory:
			return fmt.Errorf("a daemon grew by %d MiB", (after.memory-before.memory)>>20)
		case after.log-before.log > mostLog:
			return fmt.Errorf("a log grew by %d KiB", (after.log-before.log)>>10)
		}
		return nil
	}
}

// disturbed is how long a failover takes now. One that is too long may be the machine's fault,
// which also does something else: two more are measured then, and the one in the middle counts.
func (t *town) disturbed(ctx context.Context) (time.Duration, error) {
	took, err := t.failover(ctx)
	if err != nil || took.Seconds() <= worstRatio*t.usual.Seconds() {
		return took, err
	}
	all := []time.Duration{took}
	for range 2 {
		took, err := t.failover(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[1], nil
}

// The bounds that an attack has to leave whole.
const (
	worstRatio = 1.2
	mostMemory = 200 << 20
	mostLog    = 512 << 10
)

// noises are what a crowd can do, by name; each is made by a process of its own, with the least
// claim to the processors, because a real crowd has machines of its own.
var noises = map[string]func(ctx context.Context, c crowdOf) error{
	"viewer slots": viewerSlots, "viewer reads": viewerReads, "joiner slots": joinerSlots, "joiner memory": joinerMemory,
	"handshakes": handshakes, "next door": nextDoor, "junk": junk,
	"local slots": localSlots, "local memory": localMemory, "local reads": localReads, "local links": links,
	"port slots": portSlots, "logins": logins, "streams": streams, "what if": whatIfs, "beats": beats,
	"documents": documents,
}

// crowdOf is what a crowd knows of its victims.
type crowdOf struct {
	// Ports, Pages, Metrics and Sockets are the nodes' by name, and Viewer the folder of a viewer's
	// certificate. Cookies are those of a viewer's visits.
	Ports, Pages, Metrics, Sockets, Cookies map[string]string
	Viewer                                  string
	// Beats are those that are sent by somebody else in a member's name.
	Beats []shower
}

// loudly lets a process of its own make a noise; as nobody where it is a local one, which needs
// root.
func loudly(name string) crowd {
	local := strings.HasPrefix(name, "local")
	return crowd{local, func(ctx context.Context, t *town) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		program := filepath.Join(t.folder, "attack")
		if err := copyProgram(self, program); err != nil {
			return err
		}
		known, err := t.victims(ctx)
		if err != nil {
			return err
		}
		victims, err := json.Marshal(known)
		if err != nil {
			return err
		}
		child := exec.CommandContext(ctx, "nice", "-n", "19", program, "-noise", name, "-victims", string(victims))
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if local {
			child.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		}
		child.Stderr = os.Stderr
		err = child.Run()
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the crowd went home: %w", err)
	}}
}

// noise is what that process does.
func noise(ctx context.Context, name, victims string) error {
	make, known := noises[name]
	if !known {
		return fmt.Errorf("there is no noise %q", name)
	}
	var c crowdOf
	if err := json.Unmarshal([]byte(victims), &c); err != nil {
		return err
	}
	return make(ctx, c)
}

// nobody is the user and the group of that name on most systems.
const nobody = 65534

func copyProgram(from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	temporary := to + "." + strconv.FormatInt(time.Now().UnixNano(), 36)
	return errors.Join(os.WriteFile(temporary, text, 0o755), os.Rename(temporary, to))
}
