package scenarios

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/test/sim"
)

// managing are the commands about the cluster itself: its members, its
// document, its backups and its rules.
func (s *story) managing() map[string]func([]string) error {
	return map[string]func([]string) error{
		// confirm NODE [BOOT]: an administrator confirms that the machine is off.
		"confirm": func(words []string) error {
			n, _ := s.world.State().Nodes.Get(words[0])
			boot := n.Boot
			if len(words) > 1 {
				boot = words[1]
			}
			return s.propose("confirm", cluster.ConfirmFence{Node: words[0], Boot: boot, By: "root", Why: "I pulled its plug"})
		},
		"disarm": func(words []string) error {
			span, err := time.ParseDuration(words[0])
			if err != nil {
				return err
			}
			return s.propose("disarm", cluster.Disarm{For: span, By: "root", Why: strings.Join(words[1:], " ")})
		},
		// drill NODE: the whole drill of its first level.
		"drill": func(words []string) error {
			return s.propose("drill", cluster.BeginDrill{Node: words[0], By: "root"})
		},
		"reboot": func(words []string) error {
			n, _ := s.world.State().Nodes.Get(words[0])
			return s.propose("reboot", cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: s.world.Leader(),
				Why: message.Words("asked for by an operator"), By: "root", Override: true, Reboot: true})
		},
		// history tells of the closed fence intents, but for what differs from run to run.
		"history": func([]string) error {
			for _, r := range s.world.State().FenceHistory {
				fmt.Fprintf(&s.extra, "history: %s, %s after %d attempts and %s, the last by %s at level %d: %s\n", r.Node,
					r.Ending, r.Attempts, r.Took().Round(time.Second), r.Fencer, r.Level+1, r.Evidence)
			}
			return nil
		},
		"arm": func([]string) error { return s.propose("arm", cluster.Arm{By: "root"}) },
		// fencing AT-ONCE SHOTS: the brake's numbers, before the cluster is founded.
		"fencing": func(words []string) error {
			var err error
			if s.document.Fencing.AtOnce, err = strconv.Atoi(words[0]); err != nil {
				return err
			}
			s.document.Fencing.Shots, err = strconv.Atoi(words[1])
			return err
		},
		// storage gone|back: the shared storage, for every host at once.
		"storage": func(words []string) error {
			for _, name := range s.nodes {
				s.world.Hosts[name].SetStorage(words[0] == "back")
			}
			return nil
		},
	}
}

// joining is what is done to nodes: removed, replaced, upgraded.
func (s *story) joining() map[string]func([]string) error {
	return map[string]func([]string) error{
		"remove-node": func(words []string) error {
			return s.propose("remove-node", cluster.RemoveNode{Node: words[0], By: "root"})
		},
		// replace-node NODE: another machine joins under the name, with a token for it.
		"replace-node": func(words []string) error {
			token := "token-to-replace-" + words[0]
			err := s.propose("token",
				cluster.AddToken{ID: token, Token: cluster.Token{Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
					Replace: words[0], By: "root"}})
			if err != nil {
				return err
			}
			s.world.Run(s.world.Now+100*time.Millisecond, nil)
			return s.propose("join", cluster.Join{Token: token, Node: words[0], Fingerprint: "key-of-another-machine",
				HardwareUUID: "other-hardware", Address: words[0], By: "root"})
		},
		// announce NODE LEVEL VERSION: a daemon of that version reports for duty.
		"announce": func(words []string) error {
			level, err := strconv.Atoi(words[1])
			if err != nil {
				return err
			}
			key := s.world.Hosts[words[0]].Key()
			return s.propose("announce", cluster.NodeUp{Node: words[0], Fingerprint: cluster.FingerprintOf(key),
				Boot: words[0] + "-boot-1", MaxLevel: level, Version: words[2], Session: "of-" + words[2]})
		},
		// upgrade NODE: a newer clusterd is installed there, and its daemon restarted.
		"upgrade": func(words []string) error {
			s.world.Hosts[words[0]].Install(sim.Newest, time.Second)
			return nil
		},
		// novelty THROUGH: that node is asked for what only the newer clusterd knows.
		"novelty": func(words []string) error {
			s.world.Propose(words[0], clustertest.Novelty{Text: "hello"}, s.refused("novelty"))
			return nil
		},
		"raise-level": func(words []string) error {
			level, err := strconv.Atoi(words[0])
			if err != nil {
				return err
			}
			return s.propose("raise-level", cluster.RaiseLevel{Level: level})
		},
	}
}

// restoring is what is done after a loss, and what goes wrong beside it.
func (s *story) restoring() map[string]func([]string) error {
	return map[string]func([]string) error{
		"backup": func([]string) error {
			var err error
			s.backup, err = json.Marshal(s.world.State())
			return err
		},
		"restore": func(words []string) error {
			return s.propose("restore", cluster.Restore{State: s.backup, Node: words[0], By: "root"})
		},
		// answer-for-dead: a person types `clusterd recover`, and its daemon is not yet started.
		"answer-for-dead": func([]string) error {
			s.vouched = s.world.State().Index
			return nil
		},
		// recover DEAD...: what is left after a quorum was lost for good goes on.
		"recover": func(words []string) error {
			state := s.world.State()
			return s.propose("recover", cluster.Recover{Generation: state.Generation + 1, Dead: words,
				Through: cmp.Or(s.vouched, state.Index), By: "root"})
		},
	}
}

// misusing is what a client repeats or gets wrong, and how its last request stands.
func (s *story) misusing() map[string]func([]string) error {
	return map[string]func([]string) error{
		// ask-again: a client that lost the answer repeats its last request.
		"ask-again": func([]string) error {
			again := s.lastAsk
			again.Request = s.lastRequest
			return s.propose("ask-again", again)
		},
		// apply-old-document NODE: somebody applies a document that he read before another's change.
		"apply-old-document": func([]string) error {
			state := s.world.State()
			return s.propose("configure", cluster.Configure{Base: state.Config.Version - 1, Document: state.Document,
				By: "root"})
		},
		// share-disk SERVICE OTHER: declares a service on the disk of another one.
		"share-disk": func(words []string) error {
			next := s.world.State().Document
			next.Services = maps.Clone(next.Services)
			sim.Service(&next, parseService(words))
			spec := next.Services[words[0]]
			spec.Disks = next.Services[words[1]].Disks
			if len(spec.Disks) == 0 {
				grave, _ := s.world.State().Tombstones.Get("uuid-" + words[1])
				spec.Disks = grave.Spec.Disks
			}
			next.Services[words[0]] = spec
			s.world.Configure(s.world.Leader(), next, s.refused("configure"))
			return nil
		},
		// request reports whether the last request is answered.
		"request": func([]string) error {
			r, known := s.world.State().Requests.Get(s.lastRequest)
			switch {
			case !known:
				fmt.Fprintf(&s.extra, "request: nothing is known of it\n")
			case !r.Done:
				fmt.Fprintf(&s.extra, "request: %s %s is being worked on\n", r.Op, r.Service)
			}
			return nil
		},
	}
}

// propose takes a command through the leader's daemon and tells a refusal.
func (s *story) propose(what string, command cluster.Command) error {
	leader := s.world.Leader()
	if leader == "" {
		fmt.Fprintf(&s.extra, "refused: %s: nobody leads\n", what)
		return nil
	}
	s.world.Propose(leader, command, s.refused(what))
	return nil
}

func (s *story) tellTerms([]string) error {
	s.world.Terms = true
	return nil
}
