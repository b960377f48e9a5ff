package executor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// A fence waits for its turn at a device that takes one call, and a check gives
// way to it; a check waits for nobody.
func TestAFenceComesBeforeACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gates
		pdu := fence.Device{Name: "a", Driver: "agent", Address: "pdu", Limits: fence.Limits{AtOnce: 1}}
		other := pdu
		other.Name = "b"
		checking, leave, entered := g.enter(t.Context(), pdu, false)
		if !entered {
			t.Fatal("the first check found no place")
		}
		go func() {
			<-checking.Done()
			leave()
		}()
		if _, _, second := g.enter(t.Context(), other, false); second {
			t.Error("two checks at once at one address")
		}
		_, leaveFence, entered := g.enter(t.Context(), other, true)
		if !entered || context.Cause(checking) != errGaveWay {
			t.Fatalf("the check did not give way: %v", context.Cause(checking))
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, third := g.enter(short, pdu, true); third {
			t.Error("two fences at once at one address")
		}
		leaveFence()
		if _, leave, entered := g.enter(t.Context(), pdu, true); !entered {
			t.Error("the place did not become free")
		} else {
			leave()
		}
		if len(g.at) != 0 {
			t.Errorf("%d gates are left", len(g.at))
		}
	})
}
