package daemon

import (
	"net/http"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/nearest"
)

// noNode refuses a name that no node has, and asks whether another was meant.
// Nothing is ever done to a guess.
func noNode(root *cluster.State, name string) error {
	if meant := nearest.Word(name, root.Nodes.Keys()); meant != "" {
		return refuse(http.StatusNotFound, "unknown_node", "there is no node %s. Did you mean '%s'?", name, meant)
	}
	return refuse(http.StatusNotFound, "unknown_node", "there is no node %s", name)
}
