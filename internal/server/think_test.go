package server

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
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

// A document that is only tried waits for its turn like every other plan on paper: whoever may try
// one could else have as many processors as he asks for.
func TestADocumentOnPaperWaitsForItsTurn(t *testing.T) {
	s := newFake().serve()
	turn, err := s.shares.think(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	var reply api.ConfigReply
	var refusal *refused
	err = s.rehearseDocument(left, operator, cluster.Configure{}, &reply)
	if !errors.As(err, &refusal) || refusal.status != http.StatusServiceUnavailable || reply.Ground.Remark != "" {
		t.Errorf("while another plan is made: %v, %+v", err, reply)
	}
	turn()
	if err := s.rehearseDocument(t.Context(), operator, cluster.Configure{}, &reply); err != nil {
		t.Error("when its turn has come:", err)
	}
}

// The same answer about the reserve is given again while the State is the same, and for a while.
func TestAReserveIsWorkedOutOnceForAll(t *testing.T) {
	var k reserves
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	k.keep(2, reserved{index: 7, at: at, reply: api.ReserveReply{Reserve: cluster.Reserve{Hosts: 1}}})
	for _, c := range []struct {
		hosts int
		index uint64
		after time.Duration
		known bool
	}{{2, 7, 0, true}, {2, 7, reserveAge - 1, true}, {2, 7, reserveAge, false}, {2, 8, 0, false}, {1, 7, 0, false},
		{1, 0, 0, false}} {
		if reply, known := k.get(c.hosts, c.index, at.Add(c.after)); known != c.known || (known && reply.Hosts != 1) {
			t.Errorf("%+v: %v %t", c, reply, known)
		}
	}
}
