package cli

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

func TestMovesAreATable(t *testing.T) {
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	got := Moves([]api.MoveOf{
		{Service: "vm:web", Move: cluster.Move{At: at, From: "node1", To: "node2", By: "root", Arrived: true,
			Total: 2353 * time.Millisecond, Downtime: 40 * time.Millisecond}},
		{Service: "vm:database", Move: cluster.Move{At: at.Add(time.Minute), From: "node2", To: "node3",
			Undone: message.Words("bridge br-blue is missing (create it, as on the node where the VM runs)")}},
		{Service: "vm:web", Move: cluster.Move{At: at.Add(time.Hour), From: "node2", To: "node1", By: "drain",
			Arrived: true}},
	}, 60)
	want := `BEGAN                SERVICE      FROM   TO     TOOK       STOOD STILL  BY
2026-01-05 08:00:00  vm:web       node1  node2  2.353 s    40 ms        root
2026-01-05 08:01:00  vm:database  node2  node3  stayed     -            the cluster
    bridge br-blue is missing (create it, as on the node
    where the VM runs)
2026-01-05 09:00:00  vm:web       node2  node1  not known  not known    drain
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Moves(nil, 80) != "Nothing has been moved live.\n" {
		t.Error("no moves are shown as nothing")
	}
}

func TestWhatAMoveWouldComeTo(t *testing.T) {
	for _, c := range []struct {
		f    api.Foresight
		want string
	}{
		{api.Foresight{Ready: true, Target: "112 MiB of memory", Forecast: &api.Forecast{Memory: 64 << 20, Dirty: 2 << 20,
			Rate: 110 << 20, Ends: true, Total: 1190 * time.Millisecond, Downtime: 45 * time.Millisecond}},
			`node2 can take it: 112 MiB of memory
About 1s in all, the guest stands still for at most 50ms: 64.0 MiB to send, the
  guest writes 2.0 MiB/s, reckoned with 110.0 MiB/s
`},
		{api.Foresight{Target: "bridge br7 is missing (create it)", Forecast: &api.Forecast{Memory: 64 << 20,
			Dirty: 20 << 20, Rate: 16 << 20}, Silent: "node1 is tired"},
			`node2 cannot take it now, and the move would end with nothing sent: bridge br7
  is missing (create it)
It would not end by itself: 64.0 MiB to send, the guest writes 20.0 MiB/s,
  reckoned with 16.0 MiB/s. More bandwidth, a longer downtime, auto_converge or
  mode=hybrid lets it arrive (--set)
node1 is tired
`},
	} {
		if got := Foresight(&c.f, "node2", 80); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	if Foresight(nil, "node2", 80) != "" {
		t.Error("something is said of nothing")
	}
}
