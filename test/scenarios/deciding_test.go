package scenarios

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/clusterd/clusterd/test/sim"
)

// deciding are the commands that put decisions about places to the test.
func (s *story) deciding() map[string]func([]string) error {
	return map[string]func([]string) error{
		// arrivals-fail NODE yes|no: no live migration arrives there.
		"arrivals-fail": s.onHost(func(h *sim.Host, words []string) { h.ArrivalsFail = words[0] == "yes" }),
		// check-hangs NODE yes|no: it does not answer when it is asked whether it can take a VM live.
		"check-hangs": s.onHost(func(h *sim.Host, words []string) { h.CheckHangs = words[0] == "yes" }),
		// restless NODE SPAN: its daemon ends a moment after each start, for so long.
		"restless": s.onHost(func(h *sim.Host, words []string) {
			while, _ := time.ParseDuration(words[0])
			s.world.Restless(h, while)
		}),
		// lacks NODE WHAT: it answers that it lacks that.
		"lacks": s.onHost(func(h *sim.Host, words []string) { h.Lacks = strings.Join(words, " ") }),
		// change-domain NAME ...: the domain is declared anew while all runs.
		"change-domain": func(words []string) error {
			next := s.world.State().Document
			next.Domains = maps.Clone(next.Domains)
			next.Domains[words[0]] = parseDomain(words)
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
		// change-service NAME ...: the service is declared anew while all runs.
		"change-service": func(words []string) error {
			next := s.world.State().Document
			next.Services = maps.Clone(next.Services)
			if _, known := next.Services[words[0]]; !known {
				return fmt.Errorf("no service %s", words[0])
			}
			sim.Service(&next, parseService(words))
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
	}
}
