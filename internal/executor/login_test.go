package executor

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// picky is a board that takes one password.
type picky struct {
	fence.Driver
	password fence.Secret
}

func (p picky) Check(_ context.Context, device fence.Device) fence.Check {
	if device.Password != p.password {
		return fence.Check{Power: fence.PowerUnknown, Problem: "the login is refused"}
	}
	return fence.Check{Power: fence.PowerOn}
}

// While document and board have different passwords, a fence tries both, the one
// that worked last first, and tells what each of them saw.
func TestAFenceTriesBothLogins(t *testing.T) {
	now, old := fence.Device{Name: "bmc", Password: "new"}, fence.Device{Name: "bmc", Password: "old"}
	duty := cluster.Duty{Devices: []fence.Device{now}, OldLogins: []fence.Device{old}}
	for _, c := range []struct {
		takes     fence.Secret
		oldWorked bool
		want      []fence.Secret
		outcome   fence.Outcome
	}{
		{"new", false, []fence.Secret{"new"}, fence.Confirmed},
		{"old", false, []fence.Secret{"new", "old"}, fence.Confirmed},
		{"old", true, []fence.Secret{"old"}, fence.Confirmed},
		{"neither", true, []fence.Secret{"old", "new"}, fence.Unknown},
	} {
		var tried []fence.Secret
		result := inTurn(t.Context(), loginsOf(duty, now, c.oldWorked), func(login fence.Device) fence.Result {
			tried = append(tried, login.Password)
			if login.Password == c.takes {
				return fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"}}
			}
			return fence.Result{Outcome: fence.Unknown, Evidence: []string{"the login is refused"}}
		})
		if result.Outcome != c.outcome || !slices.Equal(tried, c.want) {
			t.Errorf("a board that takes %q: %s after %d logins", string(c.takes), result.Outcome, len(tried))
		}
		if said := strings.Join(result.Evidence, "; "); len(tried) > 1 &&
			!strings.Contains(said, "refused; its login has just changed") {
			t.Errorf("what the first login saw is lost: %s", said)
		}
	}
	if logins := loginsOf(cluster.Duty{}, now, false); len(logins) != 1 {
		t.Errorf("a device whose login did not change is tried %d times", len(logins))
	}
}

// A check says by which login it came in.
func TestACheckTellsWhichLoginWorks(t *testing.T) {
	root := &cluster.State{}
	root.OldLogins.Set("bmc", cluster.Login{Password: "old"})
	for password, wantOld := range map[fence.Secret]bool{"old": true, "new": false} {
		var told []cluster.CheckFrom
		x := New(Options{Node: "node1",
			Driver:  func(fence.Device) (fence.Driver, error) { return picky{password: password}, nil },
			Checked: func(check cluster.CheckFrom) { told = append(told, check) }})
		x.checkDevice(t.Context(), root, fence.Device{Name: "bmc", Driver: "ipmi", Password: "new"})
		if len(told) != 1 || told[0].Check.Problem != "" || told[0].OldLogin != wantOld {
			t.Errorf("a board that takes the %q password: %+v", string(password), told)
		}
	}
}
