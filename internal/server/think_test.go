package server

import (
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/internal/pki"
)

// TestOnePlanAtATimeForStrangers: what is planned on paper for callers of one kind takes one
// processor at most, however many ask; root does not wait for them, and neither can one of them
// take all places.
func TestOnePlanAtATimeForStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shares, ctx := newShares(), t.Context()
		viewer := func(name string) Caller {
			return Caller{Kind: pki.KindClient, Name: name, Holder: name, Role: pki.RoleViewer}
		}
		first, err := shares.think(ctx, viewer("anna"))
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan func(), 2)
		for range 2 {
			go func() {
				done, err := shares.think(ctx, viewer("bert"))
				if err != nil {
					t.Error("bert waits, and is refused:", err)
					done = func() {}
				}
				waiting <- done
			}()
		}
		synctest.Wait()
		if len(waiting) > 0 {
			t.Error("two plans are made for strangers at once")
		}
		if _, err := shares.think(ctx, viewer("bert")); err == nil {
			t.Error("one of them waits three times")
		}
		root, err := shares.think(ctx, Caller{Name: "root", Holder: "root", Role: pki.RoleAdmin, Reserved: true})
		if err != nil {
			t.Fatal("root waits for strangers:", err)
		}
		root()
		first()
		(<-waiting)()
		(<-waiting)()
		last, err := shares.think(ctx, viewer("bert"))
		if err != nil {
			t.Fatal("the places were not given back:", err)
		}
		if _, err := shares.think(ctx, viewer("anna")); err == nil {
			t.Error("a plan that takes longer than patience holds nobody up")
		}
		last()
	})
}
