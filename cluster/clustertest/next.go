package clustertest

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
)

// NextLevel is a level of rules that only tests know.
const NextLevel = cluster.CurrentLevel + 1

// Novelty is the command that those rules bring: a clusterd as it is built cannot read it.
type Novelty struct {
	cluster.Change
	Text string `json:"text"`
}

// The release that comes after this one, and its rules.
var (
	Next = cluster.Current.With(NextLevel,
		cluster.RowOf("novelty", NextLevel, func(Novelty) string { return "" }))
	NextRules = apply.Current.With(Next, "novelty",
		func(c cluster.Command) string { return "newer rules say " + c.(Novelty).Text })
)

// ReleaseOf is the release whose newest rules are of a level.
func ReleaseOf(level int) *cluster.Release {
	if level < NextLevel {
		return cluster.Current
	}
	return Next
}
