package main

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// A moment is kept as it was first seen, and only of nodes that join.
func TestMomentsOfAJoin(t *testing.T) {
	times := map[string]joined{"node2": {began: time.Now().Add(-time.Second)}}
	note(times, api.Node{Name: "node1", State: "online", Voter: true})
	note(times, api.Node{Name: "node2", State: "looking"})
	if len(times) != 1 || times["node2"].online != 0 || times["node2"].voting != 0 {
		t.Fatalf("too early: %+v", times)
	}
	note(times, api.Node{Name: "node2", State: "online", Voter: true})
	first := times["node2"]
	note(times, api.Node{Name: "node2", State: "online", Voter: true})
	if first.online < time.Second || first.voting < time.Second || times["node2"] != first {
		t.Errorf("first %+v, then %+v", first, times["node2"])
	}
}
