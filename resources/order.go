package resources

import (
	"slices"
	"strings"
)

// levels are the start and the stop level of a type below its parent.
type levels struct{ start, stop int }

// childLevels are rgmanager's: which types below a parent have a level of
// their own, that of a service being "". All others come after, as written.
var childLevels = map[string]map[string]levels{
	"": {
		"lvm": {1, 9}, "fs": {2, 8}, "clusterfs": {3, 7}, "netfs": {4, 6}, "nfsexport": {5, 5},
		"nfsclient": {6, 4}, "ip": {7, 2}, "smb": {8, 3}, "script": {9, 1},
	},
	"fs":        {"fs": {1, 3}, "clusterfs": {1, 3}, "nfsexport": {3, 1}},
	"clusterfs": {"fs": {1, 3}, "clusterfs": {1, 3}, "nfsexport": {3, 1}},
	"nfsserver": {"nfsclient": {1, 2}, "ip": {2, 1}},
}

// untyped is the level of what the parent's rules do not name.
const untyped = 100

// Placed is a resource at its place in the tree of one service.
type Placed struct {
	// Path names the place: the resources above it and itself, as Label calls
	// them, joined by "/".
	Path  string
	Depth int
	// Resource is the resource with everything below it.
	Resource Resource
}

// Label is how a resource is called in sentences and paths:
// "ocf:heartbeat:IPaddr2 web-ip".
func (r Resource) Label() string { return r.Type + " " + r.Name }

// StartOrder lists the resources in the order in which they are started: each
// before what is below it; siblings by rgmanager's start levels, then as written.
func StartOrder(tree []Resource) []Placed {
	var order []Placed
	walk(tree, Placed{}, "", func(p Placed) { order = append(order, p) }, nil)
	return order
}

// StopOrder lists them in the order in which they are stopped: each after what
// is below it; among siblings first what has no level, the last written first,
// then by rgmanager's stop levels, which are not those of the start reversed.
func StopOrder(tree []Resource) []Placed {
	var order []Placed
	walk(tree, Placed{}, "", nil, func(p Placed) { order = append(order, p) })
	return order
}

// walk visits each resource before (starting) or after (stopping) its children.
func walk(siblings []Resource, parent Placed, parentKin string, before, after func(Placed)) {
	for _, r := range sortSiblings(siblings, parentKin, after != nil) {
		place := Placed{Path: r.Label(), Resource: r}
		if parent.Path != "" {
			place.Path, place.Depth = parent.Path+"/"+place.Path, parent.Depth+1
		}
		if before != nil {
			before(place)
		}
		walk(r.Children, place, kin(r), before, after)
		if after != nil {
			after(place)
		}
	}
}

func sortSiblings(siblings []Resource, parentKin string, stopping bool) []Resource {
	sorted := slices.Clone(siblings)
	level := func(r Resource) int {
		l, typed := childLevels[parentKin][kin(r)]
		switch {
		case !typed && stopping:
			return 0
		case !typed:
			return untyped
		case stopping:
			return l.stop
		}
		return l.start
	}
	if stopping {
		slices.Reverse(sorted)
	}
	slices.SortStableFunc(sorted, func(a, b Resource) int { return level(a) - level(b) })
	return sorted
}

// Below reports whether one path lies below the other, or is the same.
func Below(path, above string) bool {
	return path == above || strings.HasPrefix(path, above+"/")
}
