package apply

import (
	"maps"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// applier changes the State by one command, or refuses it with a sentence.
type applier func(t *transaction, c cluster.Command) rules.Refusal

// Rules are what the commands of one release do.
type Rules struct {
	release  *cluster.Release
	appliers map[string]applier
}

// Current are the rules of this release.
var Current = &Rules{release: cluster.Current, appliers: appliers}

// With returns the rules of a release that comes after this one and has one more kind of command,
// which does no more than tell something. Tests prove by them what no clusterd has needed yet.
func (r *Rules) With(release *cluster.Release, kind string, tell func(cluster.Command) string) *Rules {
	next := &Rules{release: release, appliers: maps.Clone(r.appliers)}
	next.appliers[kind] = func(t *transaction, c cluster.Command) rules.Refusal {
		t.tell(cluster.Event{Subject: t.Cluster, Why: message.NewerRelease.With(tell(c))})
		return rules.Accepted
	}
	return next
}

// Apply is that of this release.
func Apply(s *cluster.State, entry cluster.Entry) Applied { return Current.Apply(s, entry) }

// ApplyData is that of this release.
func ApplyData(s *cluster.State, entry cluster.Entry, data []byte) (*cluster.State, Applied, error) {
	return Current.ApplyData(s, entry, data)
}

// ApplyTo is that of this release.
func ApplyTo(s *cluster.State, entry cluster.Entry, data []byte) (Applied, error) {
	return Current.ApplyTo(s, entry, data)
}

// Fit is that of this release.
func Fit(s *cluster.State, at time.Time, data []byte) error { return Current.Fit(s, at, data) }

// rule is what the commands of one kind do.
type rule struct {
	kind string
	does applier
}

// appliers are what the commands do, by their word in the log: one for each that can be read
// from it.
var appliers = byKind(
	by((*transaction).applyInit),
	by((*transaction).applyRestore),
	by((*transaction).applyRecover),
	by((*transaction).applyGoAlone),
	by((*transaction).applyReadmit),
	by((*transaction).applyLoseLog),
	by((*transaction).applyRaiseLevel),
	by((*transaction).applyAddToken),
	by((*transaction).applyJoin),
	by((*transaction).applyRemoveNode),
	by((*transaction).applyNodeUp),
	by((*transaction).applyInventory),
	by((*transaction).applyLeave),
	by((*transaction).applyNodeGone),
	by((*transaction).applyDaemonStopping),
	by((*transaction).applyNodeVolume),
	by((*transaction).applyNodeHypervisor),
	by((*transaction).applyNodeCapacity),
	by((*transaction).applySetAddress),
	by((*transaction).applyContact),
	by((*transaction).applyLead),
	by((*transaction).applyBeginFence),
	by((*transaction).applyAssignFence),
	by((*transaction).applyFenceDone),
	by((*transaction).applyConfirmFence),
	by((*transaction).applyCheckFrom),
	by((*transaction).applyDisarm),
	by((*transaction).applyArm),
	by((*transaction).applyPowerOnDone),
	by((*transaction).applyBeginDrill),
	by((*transaction).applyEndDrill),
	by((*transaction).applyBegin),
	by((*transaction).applyDone),
	by((*transaction).applyLooked),
	by((*transaction).applyObserved),
	by((*transaction).applyProbed),
	by((*transaction).applyAsk),
	by((*transaction).applyGiveUp),
	by((*transaction).applyConfigure),
	by((*transaction).applyTold),
	by((*transaction).applyGuarded),
	by((*transaction).applyKeyBack),
	by((*transaction).applyThaw),
	by((*transaction).applyLockCluster),
	by((*transaction).applyUnlockCluster),
	by((*transaction).applyOrderNode),
	by((*transaction).applyNodeEmpty),
	by((*transaction).applyLostKeys),
	by((*transaction).applyAddClient),
	by((*transaction).applyRevokeClients),
	by((*transaction).applyRekey),
	by((*transaction).applyEndMove),
	by((*transaction).applyRotateAuthority),
	by((*transaction).applyAbortAuthority),
	by((*transaction).applyNodeAuthority),
	by((*transaction).applyRotateKey),
	by((*transaction).applyAbortKey),
	by((*transaction).applyTellKey),
	by((*transaction).applyTurnKey),
)

// by makes a rule of the method for one command.
func by[C cluster.Command](apply func(*transaction, C) rules.Refusal) rule {
	var command C
	return rule{kind: cluster.KindOf(command),
		does: func(t *transaction, c cluster.Command) rules.Refusal { return apply(t, c.(C)) }}
}

func byKind(list ...rule) map[string]applier {
	all := make(map[string]applier, len(list))
	for _, r := range list {
		all[r.kind] = r.does
	}
	return all
}
