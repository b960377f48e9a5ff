package scenarios

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/report"
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

// losing is what becomes of what a host keeps, of where it is, and of what its board may do.
func (s *story) losing() map[string]func([]string) error {
	return map[string]func([]string) error{
		// cut-log NODE N takes the last N entries off it; copy-folder makes a snapshot of the machine's
		// data folder, and put-folder goes back to it.
		"cut-log": s.onHost(func(h *sim.Host, words []string) {
			if n, err := strconv.ParseUint(words[0], 10, 64); err == nil {
				h.CutLog(n)
			}
		}),
		"copy-folder": s.onHost(func(h *sim.Host, _ []string) { s.putFolder = h.KeepFolder() }),
		"put-folder":  s.onHost(func(*sim.Host, []string) { s.putFolder() }),
		// lose-address boots a host whose network comes late, find-address is when it does; move gives
		// it another address, renumber all of them, with what moved where in every file.
		"lose-address": s.onHost(func(h *sim.Host, _ []string) { h.LosesAddress() }),
		"find-address": s.onHost(func(h *sim.Host, _ []string) { h.FindsAddress() }),
		"move":         s.onHost(func(h *sim.Host, _ []string) { h.Moves() }),
		"renumber": func([]string) error {
			s.world.Renumber(2 * time.Second)
			return nil
		},
		// bar-board NODE yes|no: its board answers, and may not switch it off.
		"bar-board": s.onHost(func(h *sim.Host, words []string) { s.world.BarBoard(h, words[0] == "yes") }),
		// stop-writes NODE yes|no: its data volume can be read and not written.
		"stop-writes": s.onHost(func(h *sim.Host, words []string) { s.world.StopWrites(h, words[0] == "yes") }),
	}
}

// belonging is who belongs to the cluster, where it is, and whether it could be fenced.
func (s *story) belonging() map[string]func([]string) error {
	return map[string]func([]string) error{
		// join NODE as OTHER|at OTHER: a machine joins that tells the hardware UUID, or the address, of a
		// member.
		"join": func(words []string) error {
			other, _ := s.world.State().Nodes.Get(words[2])
			join := cluster.Join{Token: "token-of-" + words[0], Node: words[0], Fingerprint: "key-of-" + words[0],
				HardwareUUID: "hardware-of-" + words[0], Address: words[0], By: "root"}
			if words[1] == "as" {
				join.HardwareUUID = other.HardwareUUID
			} else {
				join.Address = other.Address
			}
			err := s.propose("token", cluster.AddToken{ID: join.Token,
				Token: cluster.Token{Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), By: "root"}})
			if err != nil {
				return err
			}
			s.world.Run(s.world.Now+100*time.Millisecond, nil)
			return s.propose("join", join)
		},
		// nodes: where each is looked for, and protection NODE: why it could not be fenced.
		"nodes": func([]string) error {
			for _, n := range s.world.State().Nodes.Rows() {
				fmt.Fprintf(&s.extra, "node: %s is %s, at %s\n", n.Name, n.State, n.Address)
			}
			return nil
		},
		"protection": func(words []string) error {
			why := cmp.Or(report.Unprotected(s.world.State(), words[0]), "can be fenced")
			fmt.Fprintf(&s.extra, "protection: %s: %s\n", words[0], why)
			return nil
		},
	}
}
