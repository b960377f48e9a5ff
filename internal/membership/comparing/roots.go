package comparing

import (
	"sync"

	"github.com/clusterd/clusterd/cluster"
)

// rootsKept is how many of its newest States a node can be asked about. They share what did not
// change between them.
const rootsKept = 64

// Roots are the newest States of this node, to be compared with those of others.
type Roots struct {
	mu   sync.Mutex
	list [rootsKept]*cluster.State
}

// Add keeps a State, without its timeline: a digest leaves that out, and each entry that tells
// something makes a list of thousands of events anew.
func (r *Roots) Add(root *cluster.State) {
	root = root.Fork()
	root.Timeline = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[root.Index%rootsKept] = root
}

// At is the State at an index; nil where it is not kept.
func (r *Roots) At(index uint64) *cluster.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.list[index%rootsKept]; root != nil && root.Index == index {
		return root
	}
	return nil
}
