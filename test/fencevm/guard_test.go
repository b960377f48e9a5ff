package fencevm

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// TestADaemonsGuardOnARealHost is about the hands that the daemon has on its own
// host: it registers, arms the watchdog, renews a lease, finds itself cut off, and
// is reset once it lets go.
func TestADaemonsGuardOnARealHost(t *testing.T) {
	b := newBench(t)
	attach := b.array()
	nodeB := b.launch("b", "role=node", attach("b", 1, 2)...)
	nodeA := b.launch("a", "role=node watchdog=i6300esb", append(attach("a", 1, 2), hardwareDog...)...)
	nodeB.awaitEvent("ready", longestBoot)
	nodeA.awaitEvent("ready", longestBoot)
	data := ask[[]string](nodeA, "disks")[0]

	nodeA.must("guard register " + data)
	nodeB.must("guard register " + data)
	if cut := ask[bool](nodeA, "guard cutoff "+data); cut {
		t.Error("a node that is registered believes that it is cut off")
	}
	for _, mood := range []cluster.PetPolicy{cluster.PetFree, cluster.PetLeased, cluster.PetLeased, cluster.PetFree} {
		if k := ask[cluster.Keeper](nodeA, "guard "+string(mood)+" 10s 20s"); k.Free != (mood == cluster.PetFree) ||
			!k.Armed {
			t.Errorf("%s: the keeper stands at %+v", mood, k)
		}
	}
	expectOutcome(t, ask[fence.Result](nodeB, "fence a "+data), fence.Confirmed, "aborted")
	if cut := ask[bool](nodeA, "guard cutoff "+data); !cut {
		t.Error("a node that was cut off does not find it out")
	}
	if cut := ask[bool](nodeB, "guard cutoff "+data); cut {
		t.Error("the fencer believes that it is cut off")
	}
	nodeA.must("guard never 10s 20s")
	nodeA.awaitReset(60 * time.Second)
}
