package resources

import (
	"maps"
	"slices"
)

// Change is what has to be done to a running service for it to become what a
// newer tree says.
type Change struct {
	// Stop are resources of the old tree, in the order in which they are stopped.
	Stop []Placed
	// Start are resources of the new tree, in the order of their start.
	Start []Placed
	// Reload are resources of the new tree of which only parameters changed that
	// the agent can change in place.
	Reload []Placed
}

// None tells that nothing has to be done.
func (c Change) None() bool { return len(c.Stop)+len(c.Start)+len(c.Reload) == 0 }

// Delta compares the tree that runs with the one that is declared. A resource
// that is gone or new takes what is below it along; so does one whose
// parameters changed, unless its agent can change all of them in place, which
// reloadable answers (nil: none can). Limits, checks and the meaning of a
// failure are no business of the agent: changing them does nothing to what runs.
func Delta(old, new []Resource, reloadable func(kind, parameter string) bool) Change {
	before, after := places(old), places(new)
	var change Change
	var bounced []string
	for _, p := range StartOrder(new) {
		was, known := before[p.Path]
		switch {
		case below(p.Path, bounced):
			change.Start = append(change.Start, p)
		case !known:
			change.Start = append(change.Start, p)
		case maps.Equal(was.Resource.Parameters, p.Resource.Parameters):
		case inPlace(was.Resource, p.Resource, reloadable):
			change.Reload = append(change.Reload, p)
		default:
			bounced = append(bounced, p.Path)
			change.Start = append(change.Start, p)
		}
	}
	for _, p := range StopOrder(old) {
		if _, stays := after[p.Path]; !stays || below(p.Path, bounced) {
			change.Stop = append(change.Stop, p)
		}
	}
	return change
}

func places(tree []Resource) map[string]Placed {
	found := map[string]Placed{}
	for _, p := range StartOrder(tree) {
		found[p.Path] = p
	}
	return found
}

func below(path string, paths []string) bool {
	for _, above := range paths {
		if Below(path, above) {
			return true
		}
	}
	return false
}

// inPlace reports whether every parameter that differs can be changed in place.
func inPlace(old, new Resource, reloadable func(kind, parameter string) bool) bool {
	if reloadable == nil {
		return false
	}
	differs := func(a, b map[string]string) bool {
		for _, name := range sortedKeys(a) {
			if other, there := b[name]; (!there || other != a[name]) && !reloadable(new.Type, name) {
				return true
			}
		}
		return false
	}
	return !differs(old.Parameters, new.Parameters) && !differs(new.Parameters, old.Parameters)
}

func sortedKeys[T any](of map[string]T) []string { return slices.Sorted(maps.Keys(of)) }
