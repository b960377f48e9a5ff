// Package users counts by the State which nodes use each network of guests.
package users

import (
	"maps"
	"slices"

	"github.com/clusterd/clusterd/cluster"
)

// Of are the nodes that use each network of the document, sorted: those that may hold a service
// which is attached to it, and those to which one is on its way. It is counted from the State
// alone, and a node in doubt counts: there a guest may be talking.
func Of(s *cluster.State) map[string][]string {
	if len(s.Document.Networks) == 0 {
		return nil
	}
	found := map[string]map[string]bool{}
	for name := range s.Document.Networks {
		found[name] = map[string]bool{}
	}
	use := func(service *cluster.Service) {
		for _, name := range service.Spec.Networks {
			if found[name] == nil {
				continue // no longer in the document
			}
			for _, h := range service.Holders {
				found[name][h.Node] = true
			}
			if i := service.Intent; i != nil {
				found[name][i.Node] = true
				found[name][i.Target] = true
			}
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
