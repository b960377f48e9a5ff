package scenarios

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/resources"
	"github.com/clusterd/clusterd/test/sim"
)

// parseRule reads one rule between services: exclusive, depend=A, soft=A,
// together=A, apart=A, tier=N, priority=N, probe=P, stop-failure=fence.
func parseRule(spec *resources.Spec, key, value string) {
	switch key {
	case "exclusive":
		spec.Exclusive = true
	case "depend":
		spec.Depend = append(spec.Depend, resources.Dependency{Service: value, Mode: resources.Hard})
	case "soft":
		spec.Depend = append(spec.Depend, resources.Dependency{Service: value, Mode: resources.Soft})
	case "together":
		spec.Together = append(spec.Together, value)
	case "apart":
		spec.Apart = append(spec.Apart, value)
	case "tier":
		spec.Tier, _ = strconv.Atoi(value)
	case "priority":
		spec.Priority, _ = strconv.Atoi(value)
	case "probe":
		spec.Probe = value
	case "stop-failure":
		spec.StopFailure = resources.StopFailure(value)
	case "memory":
		spec.Demand.Memory, _ = parseMemory(value)
	case "huge":
		spec.Demand.Huge, _ = parseMemory(value)
	case "vcpus":
		spec.Demand.CPUs, _ = strconv.Atoi(value)
	}
}

// parseMemory reads 16GiB or 512MiB.
func parseMemory(text string) (resources.Bytes, error) {
	number := strings.TrimRight(text, "MGiB")
	amount, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, err
	}
	bytes, ok := resources.MemoryIn(amount, text[len(number):])
	if !ok {
		return 0, fmt.Errorf("%q is no amount of memory", text)
	}
	return bytes, nil
}

// parseCapacity reads what a host has: memory=32GiB huge=4GiB cpus=16. One of which nothing is said
// tells nothing.
func parseCapacity(words []string) (c cluster.Capacity, err error) {
	for _, word := range words {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "memory":
			c.Memory, err = parseMemory(value)
		case "huge":
			c.Huge, err = parseMemory(value)
		case "cpus":
			c.CPUs, err = strconv.Atoi(value)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// allowances are the commands about how full nodes may become.
func (s *story) allowances() map[string]func([]string) error {
	return map[string]func([]string) error{
		// allow [NODE] [reserve=1GiB] [memory=150] [cpus=400]: how full nodes may become, in percent; in
		// the document, before it is founded or as a change of it.
		"allow": s.allow,
		// has NODE memory=16GiB ...: what the host has changes.
		"has": s.onHost(func(h *sim.Host, words []string) {
			h.Has, _ = parseCapacity(words)
			h.Measured()
		}),
		// redeclare SERVICE ...: it is declared otherwise, by the words of service.
		"redeclare": func(words []string) error {
			next := s.world.State().Document
			next.Services = maps.Clone(next.Services)
			sim.Service(&next, parseService(words))
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
		// room: how much of each node is taken.
		"room": func([]string) error {
			w := rules.Of(s.world.State())
			for _, node := range w.Nodes.Keys() {
				if room, known := w.RoomOn(node); known {
					fmt.Fprintf(&s.extra, "room: %s has %s, %s taken, %s free\n", node, room.Capacity, room.Taken.Memory,
						room.Free.Memory)
				} else {
					fmt.Fprintf(&s.extra, "room: %s has not told\n", node)
				}
			}
			return nil
		},
	}
}

// ruling are the commands about rules between services and standing orders.
func (s *story) ruling() map[string]func([]string) error {
	return map[string]func([]string) error{
		// start-at-once N: throttles the starts of the whole cluster.
		"start-at-once": func(words []string) (err error) {
			s.document.StartAtOnce, err = strconv.Atoi(words[0])
			return err
		},
		// freeze SERVICE 10m WHY...: a freeze that ends by itself.
		"freeze": func(words []string) error {
			lasts, err := time.ParseDuration(words[1])
			s.world.Request(s.world.Leader(), cluster.Ask{Op: cluster.OpFreeze, Service: words[0], For: lasts, By: "root",
				Reason: strings.Join(words[2:], " ")})
			return err
		},
		"never-answers": func(words []string) error {
			s.world.Mute[words[0]] = true
			return nil
		},
		"lock": func(words []string) error {
			return s.propose("lock", cluster.LockCluster{By: "root", Why: strings.Join(words, " ")})
		},
		"unlock":        func([]string) error { return s.propose("unlock", cluster.UnlockCluster{By: "root"}) },
		"cluster-stop":  func([]string) error { return s.propose("stop", cluster.LockCluster{By: "root", Stop: true}) },
		"cluster-start": func([]string) error { return s.propose("start", cluster.UnlockCluster{By: "root", Start: true}) },
		// fail NODE SERVICE WHY...: resources of a service fail their check there.
		"fail": s.onHost(func(h *sim.Host, words []string) { h.FailParts(words[0], strings.Join(words[1:], " ")) }),
		"mend": s.onHost(func(h *sim.Host, words []string) { h.MendParts(words[0]) }),
		// restart-part NODE SERVICE WHY...: its agent restarts them in place.
		"restart-part": s.onHost(
			func(h *sim.Host, words []string) { h.RestartParts(words[0], strings.Join(words[1:], " ")) }),
		// drop NODE SERVICE WHY...: it goes on without them; drop-for-good: they do not start again.
		"drop": s.onHost(
			func(h *sim.Host, words []string) { h.DropParts(words[0], strings.Join(words[1:], " "), false) }),
		"drop-for-good": s.onHost(
			func(h *sim.Host, words []string) { h.DropParts(words[0], strings.Join(words[1:], " "), true) }),
		// lock-status shows what clusvcadm -S asks for.
		"lock-status": func([]string) error {
			lock := s.world.State().Lock
			if lock == nil {
				fmt.Fprintf(&s.extra, "lock: none\n")
				return nil
			}
			fmt.Fprintf(&s.extra, "lock: by %s, stop %t\n", lock.By, lock.Stop)
			return nil
		},
	}
}

func (s *story) allow(words []string) error {
	d := &s.document
	founded := s.world.Leader() != ""
	if founded {
		next := s.world.State().Document
		next.Nodes = maps.Clone(next.Nodes)
		d = &next
	}
	node, a := "", cluster.Allowance{}
	for _, word := range words {
		key, value, found := strings.Cut(word, "=")
		percent, _ := strconv.Atoi(value)
		switch {
		case !found:
			node = word
		case key == "reserve":
			reserve, err := parseMemory(value)
			if err != nil {
				return err
			}
			a.Reserve = &reserve
		case key == "memory":
			a.Memory = percent
		case key == "cpus":
			a.CPUs = percent
		}
	}
	if spec, known := d.Nodes[node]; known {
		spec.Allowance = a
		d.Nodes[node] = spec
	} else {
		d.Allowance = a
	}
	if founded {
		s.world.Configure(s.world.Leader(), *d, s.refused("configure"))
	}
	return nil
}

// asking are the commands that show what would happen and why.
func (s *story) asking() map[string]func([]string) error {
	return map[string]func([]string) error{
		// why SERVICE: the candidate table, as clustat --why has it.
		"why": func(words []string) error {
			e, err := plan.Explain(s.world.State(), s.world.View(), words[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(&s.extra, "why: %s is %s, owner %q\n", e.Service, e.State, e.Owner)
			for _, c := range e.Candidates {
				order, here := "  -", ""
				if c.Order > 0 {
					order = fmt.Sprintf("%3d", c.Order)
				}
				if c.Here {
					here = " (here)"
				}
				room := ""
				if c.Memory > 0 {
					room = fmt.Sprintf(", %s of %s free", c.Free, c.Memory)
				}
				fmt.Fprintf(&s.extra, "%s  %s%s, %d services%s: %s\n", order, c.Node, here, c.Services, room, c.Why)
			}
			for _, bond := range e.Bonds {
				fmt.Fprintf(&s.extra, "     %s\n", bond)
			}
			for _, rule := range e.Rules {
				fmt.Fprintf(&s.extra, "     %s\n", rule)
			}
			for _, note := range e.Waits {
				fmt.Fprintf(&s.extra, "     waits: %s\n", note.Why)
			}
			if !e.Next.IsZero() {
				fmt.Fprintf(&s.extra, "     next: %s\n", e.Next)
			}
			return nil
		},
		// what-if NODE... or what-if drain NODE: who would go where, and who could not.
		"what-if": s.whatIf,
		// rehearse OP SERVICE [NODE]: what would come of a request.
		"rehearse": func(words []string) error {
			ask := cluster.Ask{Op: cluster.Operation(words[0]), Service: words[1], By: "root"}
			if len(words) > 2 {
				ask.Node = words[2]
			}
			r := rehearse.Rehearse(s.world.State(), s.world.View(), ask)
			for _, e := range r.Events {
				fmt.Fprintf(&s.extra, "would: %s %s -> %s on %q: %s\n", e.Subject, e.From, e.To, e.Node, e.Why)
			}
			for _, note := range r.Notes {
				fmt.Fprintf(&s.extra, "would wait: %s: %s\n", note.Subject, note.Why)
			}
			fmt.Fprintf(&s.extra, "would be answered: %t %s: %s\n", r.Done, r.Text, r.Why)
			return nil
		},
	}
}

func (s *story) whatIf(words []string) error {
	down, drain := words, ""
	if words[0] == "drain" {
		down, drain = nil, words[1]
	}
	what, err := rehearse.WhatIf(s.world.State(), s.world.View(), down, drain)
	if err != nil {
		fmt.Fprintf(&s.extra, "what if: %v\n", err)
	}
	for _, step := range what.Steps {
		fmt.Fprintf(&s.extra, "what if: %s, on %q: %s %s: %s\n", step.Service, step.From, step.Method, step.To, step.Why)
		if !step.Next.IsZero() {
			fmt.Fprintf(&s.extra, "         %s\n", step.Next)
		}
	}
	for _, room := range what.Rooms {
		fmt.Fprintf(&s.extra, "what if: %s would have %s free of %s\n", room.Node, room.Free, room.Memory)
	}
	return nil
}

// ordering are the standing orders about nodes.
func (s *story) ordering() map[string]func([]string) error {
	order := func(kind cluster.OrderKind) func([]string) error {
		return func(words []string) error {
			c := cluster.OrderNode{Node: words[0], Order: kind, By: "root"}
			if len(words) > 1 {
				within, err := time.ParseDuration(words[1])
				if err != nil {
					return err
				}
				c.Within = within
			}
			return s.propose("order", c)
		}
	}
	return map[string]func([]string) error{
		// standby NODE; drain NODE [WITHIN]; maintenance NODE [WITHIN]; return NODE.
		"standby":     order(cluster.OrderStandby),
		"drain":       order(cluster.OrderDrain),
		"maintenance": order(cluster.OrderMaintenance),
		"return":      order(""),
		// drain-plan NODE [WITHIN]: what a drain would do.
		"drain-plan": func(words []string) error {
			c := cluster.OrderNode{Node: words[0], Order: cluster.OrderDrain, By: "root"}
			if len(words) > 1 {
				c.Within, _ = time.ParseDuration(words[1])
			}
			steps, err := rehearse.DrainPlan(s.world.State(), s.world.View(), c)
			for _, step := range steps {
				fmt.Fprintf(&s.extra, "plan: %s (%s): %s %s\n", step.Service, step.State, step.Method, step.Target)
				for _, blocker := range step.Blockers {
					fmt.Fprintf(&s.extra, "      blocked: %s\n", blocker)
				}
				for _, warning := range step.Warnings {
					fmt.Fprintf(&s.extra, "      warning: %s\n", warning)
				}
				if !step.Next.IsZero() {
					fmt.Fprintf(&s.extra, "      %s\n", step.Next)
				}
			}
			if err != nil {
				fmt.Fprintf(&s.extra, "plan: %v\n", err)
			}
			return nil
		},
	}
}
