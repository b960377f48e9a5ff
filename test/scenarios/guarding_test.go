package scenarios

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/test/sim"
)

// guarding are the commands about storage fencing, watchdogs and messages.
func (s *story) guarding() map[string]func([]string) error {
	return map[string]func([]string) error{
		// fenced-by NODE LEVEL...: a level is bmc, san, wd or pill, or several with +.
		"fenced-by": func(words []string) error {
			var levels [][]string
			for _, level := range words[1:] {
				levels = append(levels, strings.Split(level, "+"))
			}
			sim.Guard(&s.document, words[0], levels...)
			return nil
		},
		// on-array SERVICE DISK [storage-only]
		"on-array": func(words []string) error {
			sim.OnArray(&s.document, words[0], words[1], len(words) > 2)
			return nil
		},
		"hang": func(words []string) error {
			s.world.Hosts[words[0]].Hang(words[1] == "yes")
			return nil
		},
		// volume NODE well|failing|low: what a look at its data volume finds.
		"volume": func(words []string) error {
			s.world.Hosts[words[0]].SetVolume(map[string]cluster.Volume{
				"failing": {Why: message.Words("read-only file system"), Failing: true},
				"low":     {Why: message.Words("less than 256 MiB are free")}}[words[1]])
			return nil
		},
		"lose-keys": func(words []string) error {
			s.world.LoseKeys(words[0])
			return nil
		},
		"watchdog-missing": func(words []string) error {
			s.world.Hosts[words[0]].NoWatchdog = words[1] == "yes"
			return nil
		},
		// power NODE: whether it is on.
		"power": func(words []string) error {
			h := s.world.Hosts[words[0]]
			fmt.Fprintf(&s.extra, "%s: power on %v, boot %s\n", h.Name, h.Powered, h.BootID())
			return nil
		},
	}
}
