package scenarios

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
	"github.com/clusterd/clusterd/test/sim"
)

// patience bounds `settle` and `until`.
const patience = 5 * time.Minute

// story is a world with what was told of it so far.
type story struct {
	world    *sim.World
	document cluster.Document
	nodes    []string
	index    uint64 // events up to here were told
	answered map[string]bool
	extra    strings.Builder
	heard    func(line string)
	// lastAsk and its request's id can be repeated; backup is a State as it was kept.
	lastAsk     cluster.Ask
	lastRequest string
	backup      []byte
	// putFolder goes back to the copy of a data folder that was made last.
	putFolder func()
	// vouched is where the log ended when a person said who is dead.
	vouched uint64
}

func newStory() *story {
	s := &story{world: sim.New(0), answered: map[string]bool{},
		document: cluster.Document{Cluster: "demo", Domains: map[string]domain.Domain{}}}
	s.world.Trace = func(line string) {
		if s.heard != nil {
			s.heard(line)
		}
	}
	return s
}

// told is what an operator has read since the last time: the timeline, the
// answers to requests, and what was asked to be shown.
func (s *story) told() string {
	var events []cluster.Event
	for _, e := range s.world.State().Timeline {
		if e.Index > s.index {
			events = append(events, e)
		}
	}
	s.index = s.world.State().Index
	var out strings.Builder
	for _, line := range strings.Split(cli.Timeline(events, 120), "\n") {
		if line != "" && !strings.HasPrefix(line, "Mon Jan") {
			out.WriteString(line + "\n")
		}
	}
	requests := s.world.State().Requests
	for _, id := range requests.Keys() {
		if r, _ := requests.Get(id); r.Done && !s.answered[id] {
			s.answered[id] = true
			fmt.Fprintf(&out, "answer to %s %s: %s", r.Op, r.Service, r.Text)
			if !r.Why.IsZero() {
				fmt.Fprintf(&out, ": %s", r.Why)
			}
			out.WriteString("\n")
		}
	}
	out.WriteString(s.extra.String())
	s.extra.Reset()
	return out.String()
}

func (s *story) command(line string) error {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(line, "#") {
		return nil
	}
	for _, set := range []map[string]func([]string) error{
		s.declaring(), s.watching(), s.breaking(), s.happening(), s.operating(),
		s.managing(), s.joining(), s.restoring(), s.misusing(), s.ruling(),
		s.asking(), s.ordering(), s.guarding(), s.deciding(), s.allowances(), s.losing(), s.belonging()} {
		if do, known := set[words[0]]; known {
			return do(words[1:])
		}
	}
	return fmt.Errorf("no such command")
}

func (s *story) declaring() map[string]func([]string) error {
	return map[string]func([]string) error{
		"node": func(words []string) error {
			name, witness := words[0], false
			s.nodes = append(s.nodes, name)
			device := true
			for _, word := range words[1:] {
				witness = witness || word == "witness"
				device = device && word != "unprotected"
			}
			has, err := parseCapacity(words[1:])
			if err != nil {
				return err
			}
			s.world.AddHost(name, witness).Has = has
			if device {
				sim.Device(&s.document, name)
			}
			return nil
		},
		"two-node": func(words []string) error {
			delay, err := time.ParseDuration(words[1])
			s.document.TwoNode = &cluster.TwoNode{Favour: words[0], Delay: delay}
			return err
		},
		// board cuts or mends the way from a node to the other one's fence device.
		"board-cut": s.onHost(func(h *sim.Host, words []string) { s.world.CutOneWay(sim.Board, h.Name, words[0]) }),
		"domain": func(words []string) error {
			s.document.Domains[words[0]] = parseDomain(words)
			return nil
		},
		"service": func(words []string) error {
			sim.Service(&s.document, parseService(words))
			return nil
		},
		"found": func([]string) error {
			s.world.Found(s.document, s.nodes...)
			return nil
		},
		"add-service": func(words []string) error {
			next := s.world.State().Document
			next.Services = maps.Clone(next.Services)
			sim.Service(&next, parseService(words))
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
		"remove-service": func(words []string) error {
			next := s.world.State().Document
			next.Services = maps.Clone(next.Services)
			delete(next.Services, words[0])
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
	}
}

func parseDomain(words []string) domain.Domain {
	d := domain.Domain{Name: words[0]}
	for _, word := range words[1:] {
		switch word {
		case "ordered":
			d.Ordered = true
		case "restricted":
			d.Restricted = true
		case "nofailback":
			d.NoFailback = true
		default:
			node, priority, _ := strings.Cut(word, ":")
			number, err := strconv.Atoi(priority)
			if err != nil {
				number = 0
			}
			d.Members = append(d.Members, domain.Member{Node: node, Priority: number})
		}
	}
	return d
}

func parseService(words []string) resources.Spec {
	spec := resources.Spec{Name: words[0], Autostart: true}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "domain":
			spec.Domain = value
		case "disabled":
			spec.Autostart = false
		case "recovery":
			spec.Recovery = resources.Recovery(value)
		case "restarts":
			spec.MaxRestarts, _ = strconv.Atoi(value)
		case "mode":
			spec.Migration.Mode = resources.MoveMode(value)
		case "device":
			spec.Bonds = append(spec.Bonds, resources.Bond{What: "the host device " + value, NotLive: true})
		case "firmware":
			spec.Bonds = append(spec.Bonds, resources.Bond{What: "its UEFI variables (" + value + ")", Stays: true})
		default:
			parseRule(&spec, key, value)
		}
	}
	return spec
}

func (s *story) watching() map[string]func([]string) error {
	return map[string]func([]string) error{
		"run": func(words []string) error {
			pause, err := time.ParseDuration(words[0])
			s.world.Run(s.world.Now+pause, nil)
			return err
		},
		// settle lets everything come to rest and tells nothing of it.
		"settle": func([]string) error {
			s.world.Run(s.world.Now+patience, func() bool { return s.world.NotSettled() == "" })
			s.index = s.world.State().Index
			if why := s.world.NotSettled(); why != "" {
				return fmt.Errorf("does not settle: %s", why)
			}
			return nil
		},
		// settle-aloud does the same and tells all of it.
		"settle-aloud": func([]string) error {
			s.world.Run(s.world.Now+patience, func() bool { return s.world.NotSettled() == "" })
			if why := s.world.NotSettled(); why != "" {
				return fmt.Errorf("does not settle: %s", why)
			}
			return nil
		},
		// until lets time pass until the world's trace says so.
		"until": func(words []string) error {
			text, heard := strings.Join(words, " "), false
			s.heard = func(line string) { heard = heard || strings.Contains(line, text) }
			s.world.Run(s.world.Now+patience, func() bool { return heard })
			s.heard = nil
			if !heard {
				return fmt.Errorf("it never happened")
			}
			return nil
		},
		"notes": func([]string) error {
			for _, n := range s.world.Notes() {
				fmt.Fprintf(&s.extra, "note: %s: %s\n", n.Subject, n.Why)
				if !n.Next.IsZero() {
					fmt.Fprintf(&s.extra, "      %s\n", n.Next)
				}
			}
			return nil
		},
		// codes SUBJECT: what was told about it, in codes, which stay when sentences are worded better.
		"codes": s.codes,
		"status": func([]string) error {
			state := s.world.State()
			for _, name := range state.Services.Keys() {
				service, _ := state.Services.Get(name)
				flags := ""
				if text := service.Flags.String(); text != "" {
					flags = " [" + text + "]"
				}
				fmt.Fprintf(&s.extra, "status: %s is %s%s, owner %q\n", name, service.State, flags, service.Owner)
			}
			return nil
		},
	}
}

func (s *story) codes(words []string) error {
	if len(words) != 1 {
		return fmt.Errorf("codes takes a node or a service")
	}
	var codes []string
	for _, e := range s.world.State().Timeline {
		if e.Subject == words[0] {
			codes = append(codes, e.Why.Code())
		}
	}
	fmt.Fprintf(&s.extra, "codes: %s: %s\n", words[0], strings.Join(codes, " "))
	return nil
}

func (s *story) onHost(do func(h *sim.Host, words []string)) func([]string) error {
	return func(words []string) error {
		h := s.world.Hosts[words[0]]
		if h == nil {
			return fmt.Errorf("no node %s", words[0])
		}
		do(h, words[1:])
		return nil
	}
}

// breaking is what hosts and storage do.
func (s *story) breaking() map[string]func([]string) error {
	return map[string]func([]string) error{
		"power-off":   s.onHost(func(h *sim.Host, _ []string) { h.PowerOff() }),
		"boot":        s.onHost(func(h *sim.Host, _ []string) { h.Boot() }),
		"kill-daemon": s.onHost(func(h *sim.Host, _ []string) { h.KillDaemon() }),
		"stop-daemon": s.onHost(func(h *sim.Host, _ []string) { h.StopDaemon() }),
		// lose-log empties the folder of the log; start-daemon comes after it.
		"lose-log": s.onHost(func(h *sim.Host, _ []string) { h.LoseLog() }),
		// terms lets leaders tell who leads from now on.
		"terms":        s.tellTerms,
		"start-daemon": s.onHost(func(h *sim.Host, _ []string) { h.StartDaemon() }),
		"libvirt":      s.onHost(func(h *sim.Host, words []string) { h.SetLibvirt(words[0] == "up") }),
		"bmc":          s.onHost(func(h *sim.Host, words []string) { h.BMC = sim.BMCMode(words[0]) }),
		"twins":        s.onHost(func(h *sim.Host, words []string) { s.world.Twins(h, s.world.Hosts[words[0]]) }),
		// deafen stops the log on its way to a node; its heartbeats pass. mute is the opposite.
		"deafen":   s.onHost(func(h *sim.Host, words []string) { s.world.Deafen(h, len(words) > 0) }),
		"undeafen": s.onHost(func(h *sim.Host, _ []string) { s.world.Undeafen(h) }),
		"mute":     s.onHost(func(h *sim.Host, words []string) { s.world.Mutes(h, len(words) == 0) }),
		"stall": func(words []string) error {
			s.world.Stall(words[0], true)
			return nil
		},
		"snapshot": func(words []string) error {
			s.world.SnapshotVM(words[0])
			return nil
		},
		"commit": func(words []string) error {
			s.world.CommitVM(words[0])
			return nil
		},
		"attach": func(words []string) error {
			s.world.AttachDisk(words[0], words[1])
			return nil
		},
		"detach": func(words []string) error {
			s.world.DetachDisk(words[0], words[1])
			return nil
		},
		// loop: its guest dies soon after each start, for a while.
		"loop": func(words []string) error {
			while, err := time.ParseDuration(words[1])
			s.world.LoopVM(words[0], while)
			return err
		},
	}
}

// happening is what guests, people and networks do.
func (s *story) happening() map[string]func([]string) error {
	return map[string]func([]string) error{
		"crash":           s.onHost(func(h *sim.Host, words []string) { h.CrashVM(words[0]) }),
		"vanish":          s.onHost(func(h *sim.Host, words []string) { h.EndVM(words[0], false) }),
		"guest-shutdown":  s.onHost(func(h *sim.Host, words []string) { h.EndVM(words[0], true) }),
		"io-error":        s.onHost(func(h *sim.Host, words []string) { h.PauseVM(words[0], "ioerror") }),
		"stops-fail":      s.onHost(func(h *sim.Host, words []string) { h.StopsFail = words[0] == "yes" }),
		"acts-hang":       s.onHost(func(h *sim.Host, words []string) { h.ActsHang = words[0] == "yes" }),
		"starts-fail":     s.onHost(func(h *sim.Host, words []string) { h.StartsFail = words[0] == "yes" }),
		"start-by-hand":   s.onHost(func(h *sim.Host, words []string) { h.StartByHand(words[0]) }),
		"destroy-by-hand": s.onHost(func(h *sim.Host, words []string) { h.DestroyByHand(words[0]) }),
		"isolate":         s.onHost(func(h *sim.Host, _ []string) { s.world.Isolate(h.Name) }),
		"rejoin":          s.onHost(func(h *sim.Host, _ []string) { s.world.Rejoin(h.Name) }),
		"lead":            s.onHost(func(h *sim.Host, _ []string) { s.world.Lead(h.Name) }),
		"cut":             s.onHost(func(h *sim.Host, words []string) { s.world.Cut(h.Name, words[0]) }),
		"heal":            s.onHost(func(h *sim.Host, words []string) { s.world.Heal(h.Name, words[0]) }),
		"migrations": func(words []string) error {
			end := sim.MigrationEnd(strings.Join(words, " "))
			if end == sim.MovedClean {
				end = ""
			}
			s.world.FailMigrations(end)
			return nil
		},
	}
}

func (s *story) refused(what string) func(string) {
	return func(why string) {
		if why != "" {
			fmt.Fprintf(&s.extra, "refused: %s: %s\n", what, why)
		}
	}
}

func (s *story) operating() map[string]func([]string) error {
	return map[string]func([]string) error{
		"ask": func(words []string) error {
			node, word := "", false
			for _, more := range words[2:] {
				if more == "--declared-disks" {
					word = true
				} else {
					node = more
				}
			}
			s.lastAsk = cluster.Ask{Op: cluster.Operation(words[0]), Service: words[1], Node: node,
				By: "root", DeclaredDisks: word}
			s.lastRequest = s.world.Request(s.world.Leader(), s.lastAsk)
			return nil
		},
		"leave": func(words []string) error {
			s.world.Propose(s.world.Leader(), cluster.Leave{Node: words[0], By: "root"}, s.refused("leave"))
			return nil
		},
		"fence": func(words []string) error {
			n, _ := s.world.State().Nodes.Get(words[0])
			s.world.Propose(s.world.Leader(), cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: s.world.Leader(),
				Why: message.Words("asked for by an operator"), By: "root", Override: true}, s.refused("fence"))
			return nil
		},
	}
}
