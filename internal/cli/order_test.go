package cli

import (
	"testing"

	"github.com/clusterd/clusterd/internal/api"
)

func TestAMemberShowsItsOrder(t *testing.T) {
	for want, order := range map[string]api.NodeOrder{
		"Online, rgmanager, standby":     {Order: "standby"},
		"Online, rgmanager, drain":       {Order: "drain"},
		"Online, rgmanager, drained":     {Order: "drain", Empty: true},
		"Online, rgmanager, maintenance": {Order: "maintenance", Empty: true},
	} {
		if got := memberFlags(api.Node{Online: true, State: "online", Order: &order}, 80); got != want {
			t.Errorf("%+v is shown as %q, want %q", order, got, want)
		}
	}
}
