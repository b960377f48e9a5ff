// Package users counts by the State which nodes use each network of guests.
package users

import (
	"maps"
	"slices"

	"github.com/clusterd/clusterd/cluster"
)

// Of are the nodes that use each network of the document, sorted: those that may hold a service
// which is attached to it, and those to which one is on its way. What a guest was started with
// counts, whatever has been declared since, and what is declared counts too: it comes with the next
// start. It is counted from the State alone, and a node in doubt counts: there a guest may be
// talking.
func Of(s *cluster.State) map[string][]string {
	if len(s.Document.Networks) == 0 {
		return nil
	}
	found := map[string]map[string]bool{}
	for name := range s.Document.Networks {
		found[name] = map[string]bool{}
	}
	talks := func(node string, networks []string) {
		for _, name := range networks {
			if found[name] != nil { // else it is no longer in the document
				found[name][node] = true
			}
		}
	}
	use := func(service *cluster.Service) {
		for i := range service.Holders {
			h := &service.Holders[i]
			talks(h.Node, service.Spec.Networks)
			talks(h.Node, h.Networks)
		}
		if i := service.Intent; i != nil {
			talks(i.Node, service.Spec.Networks)
			talks(i.Target, service.Spec.Networks)
			talks(i.Target, i.SetOutAs(service.Spec).Networks)
		}
	}
	for _, service := range s.Services.Rows() {
		use(service)
	}
	for _, uuid := range s.Tombstones.Keys() {
		grave, _ := s.Tombstones.Get(uuid)
		use(&grave)
	}
	users := make(map[string][]string, len(found))
	for name, nodes := range found {
		delete(nodes, "")
		users[name] = slices.Sorted(maps.Keys(nodes))
	}
	return users
}
