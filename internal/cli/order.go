package cli

import "github.com/clusterd/clusterd/internal/api"

// orderFlag is the word for a standing order in the member table.
func orderFlag(order *api.NodeOrder) string {
	switch {
	case order == nil:
		return ""
	case order.Order == "drain" && order.Empty:
		return "drained"
	}
	return clean(order.Order)
}
