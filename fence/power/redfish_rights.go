package power

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	accountsPath = "/redfish/v1/AccountService/Accounts"
	// resetRight is what a reset of a computer system takes, by the Redfish privilege registry
	// (DSP8011).
	resetRight = "ConfigureComponents"
	// Boards keep their accounts in up to 16 places, and some take seconds for each answer.
	mostAccounts   = 16
	rightsPatience = 5 * time.Second
)

// account is what a board tells of an account (DSP0268, ManagerAccount).
type account struct {
	UserName string
	RoleID   string `json:"RoleId"`
	Links    struct {
		Role struct {
			ID string `json:"@odata.id"`
		}
	}
}

// lacksRight says that the account of this device may look and not switch, which nobody would
// notice before the first fence. Boards need not let an account see its own role: then nothing
// is said, and a drill shows it.
func (h *redfishHand) lacksRight(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, rightsPatience)
	defer cancel()
	own, found := h.ownAccount(ctx)
	if !found {
		return ""
	}
	var role struct{ AssignedPrivileges []string }
	switch own.RoleID {
	case "Administrator", "Operator":
		return ""
	case "ReadOnly":
	default:
		where := own.Links.Role.ID
		if where == "" || h.read(ctx, h.door.enter(ctx), where, &role) != nil || len(role.AssignedPrivileges) == 0 {
			return ""
		}
	}
	if slices.Contains(role.AssignedPrivileges, resetRight) {
		return ""
	}
	return fmt.Sprintf("the account %q has the role %q, which may not switch the power; give it the role Operator",
		h.settings.username, clip([]byte(own.RoleID)))
}

// ownAccount looks for the account that is logged in, by its name.
func (h *redfishHand) ownAccount(ctx context.Context) (account, bool) {
	var list struct {
		Members []struct {
			ID string `json:"@odata.id"`
		}
	}
	if h.read(ctx, h.door.enter(ctx), accountsPath, &list) != nil {
		return account{}, false
	}
	for _, m := range list.Members[:min(len(list.Members), mostAccounts)] {
		var one account
		if !strings.HasPrefix(m.ID, accountsPath+"/") || h.read(ctx, h.door.enter(ctx), m.ID, &one) != nil {
			continue // an account that may not be seen is not this one
		}
		if one.UserName == h.settings.username {
			return one, true
		}
	}
	return account{}, false
}
