package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
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
			s.world.Request(s.world.Leader(), cluster.Ask{Op: cluster.OpFreeze, Service: words[0], For: lasts, By: "root", Reason: strings.Join(words[2:], " ")})
			return err
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
		// drop NODE SERVICE WHY...: it goes on without them; drop-for-good: they do not start again.
		"drop":          s.onHost(func(h *sim.Host, words []string) { h.DropParts(words[0], strings.Join(words[1:], " "), false) }),
		"drop-for-good": s.onHost(func(h *sim.Host, words []string) { h.DropParts(words[0], strings.Join(words[1:], " "), true) }),
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
