package report

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// Moves are the live moves of a service, or of all, from or to a node, or anywhere, in the order in
// which they began.
func Moves(root *cluster.State, service, node string) api.Moves {
	page := api.Moves{Moves: []api.MoveOf{}}
	for _, name := range root.Moves.Keys() {
		if service != "" && service != name {
			continue
		}
		kept, _ := root.Moves.Get(name)
		for _, move := range kept.List {
			if node == "" || node == move.From || node == move.To {
				page.Moves = append(page.Moves, api.MoveOf{Service: name, Move: move})
			}
		}
	}
	slices.SortStableFunc(page.Moves, func(a, b api.MoveOf) int { return a.At.Compare(b.At) })
	return page
}
