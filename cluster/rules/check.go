package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
)

// Check returns what is wrong with a State by itself: sentences that name the
// law. A State that Apply made has none.
func Check(s *cluster.State) []string {
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		cluster.CheckService(s, service, complain)
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
		if open, _ := s.Fences.Get(name); open.By == "" && (open.TriedTotal == 0 || s.Level < cluster.LevelTwo) {
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
