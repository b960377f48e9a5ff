package comparing

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

// The States that are kept hold no timeline, have the digest that they had, and go as newer ones
// come.
func TestKeptStatesHoldNoTimeline(t *testing.T) {
	var roots Roots
	root := &cluster.State{Cluster: "alpha", Index: 7, Timeline: []cluster.Event{{Index: 7, Subject: "vm:a"}}}
	want, err := root.Digest()
	if err != nil {
		t.Fatal(err)
	}
	roots.Add(root)
	kept := roots.At(7)
	if kept == nil || len(kept.Timeline) != 0 || len(root.Timeline) != 1 {
		t.Fatalf("kept is %+v, of %+v", kept, root)
	}
	if got, err := kept.Digest(); err != nil || got != want {
		t.Errorf("its digest is %s (%v), want %s", got, err, want)
	}
	roots.Add(&cluster.State{Index: 7 + rootsKept})
	if roots.At(7) != nil || roots.At(8) != nil {
		t.Error("what is no longer kept is found")
	}
}
