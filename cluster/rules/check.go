package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// Check returns what is wrong with a State by itself: sentences that name the
// law. A State that Apply made has none.
func Check(s *cluster.State) []string {
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		checkService(s, service, complain)
	}
	all := Of(s).Others("", "")
	for i, a := range all {
		for _, b := range all[i+1:] {
			if disks := cluster.SharedDisks(a, b); disks != "" {
				complain("L9: %s and %s may both write %s", a.Spec.Name, b.Spec.Name, disks)
			}
		}
	}
	for _, name := range s.Fences.Keys() {
		open, _ := s.Fences.Get(name)
		if n, known := s.Nodes.Get(name); !known || n.Boot != open.Boot {
			complain("L2: the fence intent %d is for boot %.8s of %s, which is not its present one", open.Index, open.Boot, name)
		}
	}
	unasked := 0
	for _, name := range s.Fences.Keys() {
		if open, _ := s.Fences.Get(name); open.By == "" && open.TriedTotal == 0 {
			unasked++
		}
	}
	if unasked > s.Document.Fencing.WithDefaults().AtOnce {
		complain("L8: %d nodes are being fenced at once without an operator", unasked)
	}
	for _, list := range []struct {
		what          string
		length, limit int
	}{
		{"events", len(s.Timeline), cluster.MaxEvents}, {"requests", s.Requests.Len(), cluster.MaxRequests},
		{"tokens", s.Tokens.Len(), cluster.MaxTokens},
		{"shots", len(s.Shots), cluster.MaxShots}, {"removed keys", s.Removed.Len(), cluster.MaxRemoved},
		{"clients", s.Clients.Len(), cluster.MaxClients},
		{"closed fence intents", len(s.FenceHistory), cluster.MaxFenceHistory},
	} {
		if list.length > list.limit {
			complain("limits: %d %s, the limit is %d", list.length, list.what, list.limit)
		}
	}
	return wrong
}

// checkService complains about what does not fit together in one service.
func checkService(s *cluster.State, service cluster.Service, complain func(string, ...any)) {
	name := service.Spec.Name
	if service.Owner != "" {
		if _, held := service.Holder(service.Owner); !held {
			complain("L1: %s belongs to %s, which is no holder", name, service.Owner)
		}
	}
	if service.State == resources.Started && service.Owner == "" {
		complain("%s is started and belongs to nobody", name)
	}
	for _, h := range service.Holders {
		n, known := s.Nodes.Get(h.Node)
		if !known || !cluster.OnBoot(n)(h) {
			complain("L1: %s is held by boot %.8s of %s, which is not the one the cluster knows; nothing could "+
				"ever release it", name, h.Boot, h.Node)
		}
		if known && n.State == cluster.NodeFenced && cluster.OnBoot(n)(h) {
			complain("L1: %s is held by a boot of %s that is confirmed off", name, h.Node)
		}
	}
	intent := service.Intent
	if intent == nil {
		return
	}
	if _, held := service.Holder(intent.Node); !held && !intent.Settling {
		complain("L1: %s has an intent to %s on %s, which is no holder", name, intent.Kind, intent.Node)
	}
	if intent.Kind == cluster.IntentStart && len(service.Holders) != 1 {
		complain("L1: %s is being started while %s may be running it", name, cluster.HolderNames(service))
	}
	if _, held := service.Holder(intent.Target); intent.Kind == cluster.IntentMigrate && !intent.Settling && !held {
		complain("L5: %s is being migrated to %s, which is no holder", name, intent.Target)
	}
	if intent.Generation != s.Generation {
		complain("%s has an intent of generation %d, this is %d", name, intent.Generation, s.Generation)
	}
}
