package keys

import (
	"cmp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
)

// Key is a row: one key of the things of type T, which a P reads.
type Key[P, T any] struct {
	Name string
	// Only says which of the things have it; nil is all of them.
	Only func(T) bool
	// Read makes the reader of its value, which puts it into the thing and places what is wrong with
	// it. Without one the key is known, and is read once all of the thing's keys are there.
	Read func(p P, of *T) func(*yaml.Node)
	// Told is its value in words, "" for none. Without it a change is told by Changed or by the row of
	// another key.
	Told func(T) string
	// Says is what a change calls it where that is not its name.
	Says string
	// Changed tells a change in words of its own.
	Changed func(old, new T) Changes
	// Shown is what it adds to the listing of its thing, separator and all, where that is not its
	// name and what is Told.
	Shown func(T) string
	// Effect is what a change of it does to what runs. A section has none: its entries have.
	Effect Effect

	// Default and Means are its row of the reference. A key Beside another one shares that one's.
	Default, Means, Beside string
}

// Fields are the readers of all keys that a thing has.
func Fields[P, T any](rows []Key[P, T], p P, of *T) strict.Fields {
	known := strict.Fields{}
	for _, k := range rows {
		switch {
		case k.Only != nil && !k.Only(*of):
		case k.Read == nil:
			known[k.Name] = func(*yaml.Node) {}
		default:
			known[k.Name] = k.Read(p, of)
		}
	}
	return known
}

// Diff tells what changes from one thing to another, key by key.
func Diff[P, T any](rows []Key[P, T], old, new T) Changes {
	var told Changes
	for _, k := range rows {
		switch {
		case k.Changed != nil:
			told = append(told, k.Changed(old, new)...)
		case k.Told != nil && k.Told(old) != k.Told(new):
			told = told.Note(k.Effect, cmp.Or(k.Says, k.Name), k.Told(old), k.Told(new))
			if k.Effect == NextStart {
				told[len(told)-1].Text += " (what runs stays where it is; the rule counts from the next start or move)"
			}
		}
	}
	return told
}

// Show lists a thing, key by key, with a separator before what has none of its own.
func Show[P, T any](rows []Key[P, T], thing T, between string) string {
	var shown strings.Builder
	for _, k := range rows {
		switch {
		case k.Only != nil && !k.Only(thing):
		case k.Shown != nil:
			shown.WriteString(k.Shown(thing))
		case k.Told != nil && k.Told(thing) != "":
			shown.WriteString(between + k.Name + " " + k.Told(thing))
		}
	}
	return shown.String()
}

// Unseen is the Shown of a key that another one's row shows, or nobody needs to see.
func Unseen[T any](T) string { return "" }
