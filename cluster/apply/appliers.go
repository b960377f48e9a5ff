package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
)

// applier changes the State by one command, or refuses it with a sentence.
type applier func(t *transaction, c cluster.Command) rules.Refusal

// appliers are what the commands do, by their word in the log: one for each that can be read
// from it.
var appliers = map[string]applier{
	cluster.Init{}.Kind():            by((*transaction).applyInit),
	cluster.Restore{}.Kind():         by((*transaction).applyRestore),
	cluster.Recover{}.Kind():         by((*transaction).applyRecover),
	cluster.GoAlone{}.Kind():         by((*transaction).applyGoAlone),
	cluster.Readmit{}.Kind():         by((*transaction).applyReadmit),
	cluster.LoseLog{}.Kind():         by((*transaction).applyLoseLog),
	cluster.RaiseLevel{}.Kind():      by((*transaction).applyRaiseLevel),
	cluster.AddToken{}.Kind():        by((*transaction).applyAddToken),
	cluster.Join{}.Kind():            by((*transaction).applyJoin),
	cluster.RemoveNode{}.Kind():      by((*transaction).applyRemoveNode),
	cluster.NodeUp{}.Kind():          by((*transaction).applyNodeUp),
	cluster.Inventory{}.Kind():       by((*transaction).applyInventory),
	cluster.Leave{}.Kind():           by((*transaction).applyLeave),
	cluster.NodeGone{}.Kind():        by((*transaction).applyNodeGone),
	cluster.DaemonStopping{}.Kind():  by((*transaction).applyDaemonStopping),
	cluster.NodeVolume{}.Kind():      by((*transaction).applyNodeVolume),
	cluster.NodeHypervisor{}.Kind():  by((*transaction).applyNodeHypervisor),
	cluster.SetAddress{}.Kind():      by((*transaction).applySetAddress),
	cluster.Contact{}.Kind():         by((*transaction).applyContact),
	cluster.BeginFence{}.Kind():      by((*transaction).applyBeginFence),
	cluster.AssignFence{}.Kind():     by((*transaction).applyAssignFence),
	cluster.FenceDone{}.Kind():       by((*transaction).applyFenceDone),
	cluster.ConfirmFence{}.Kind():    by((*transaction).applyConfirmFence),
	cluster.CheckDevice{}.Kind():     by((*transaction).applyCheckDevice),
	cluster.CheckFrom{}.Kind():       by((*transaction).applyCheckFrom),
	cluster.Disarm{}.Kind():          by((*transaction).applyDisarm),
	cluster.Arm{}.Kind():             by((*transaction).applyArm),
	cluster.PowerOnDone{}.Kind():     by((*transaction).applyPowerOnDone),
	cluster.BeginDrill{}.Kind():      by((*transaction).applyBeginDrill),
	cluster.EndDrill{}.Kind():        by((*transaction).applyEndDrill),
	cluster.Begin{}.Kind():           by((*transaction).applyBegin),
	cluster.Done{}.Kind():            by((*transaction).applyDone),
	cluster.Looked{}.Kind():          by((*transaction).applyLooked),
	cluster.Observed{}.Kind():        by((*transaction).applyObserved),
	cluster.Probed{}.Kind():          by((*transaction).applyProbed),
	cluster.Ask{}.Kind():             by((*transaction).applyAsk),
	cluster.GiveUp{}.Kind():          by((*transaction).applyGiveUp),
	cluster.Configure{}.Kind():       by((*transaction).applyConfigure),
	cluster.Told{}.Kind():            by((*transaction).applyTold),
	cluster.Guarded{}.Kind():         by((*transaction).applyGuarded),
	cluster.KeyBack{}.Kind():         by((*transaction).applyKeyBack),
	cluster.Thaw{}.Kind():            by((*transaction).applyThaw),
	cluster.LockCluster{}.Kind():     by((*transaction).applyLockCluster),
	cluster.UnlockCluster{}.Kind():   by((*transaction).applyUnlockCluster),
	cluster.OrderNode{}.Kind():       by((*transaction).applyOrderNode),
	cluster.NodeEmpty{}.Kind():       by((*transaction).applyNodeEmpty),
	cluster.LostKeys{}.Kind():        by((*transaction).applyLostKeys),
	cluster.AddClient{}.Kind():       by((*transaction).applyAddClient),
	cluster.RevokeClients{}.Kind():   by((*transaction).applyRevokeClients),
	cluster.Rekey{}.Kind():           by((*transaction).applyRekey),
	cluster.EndMove{}.Kind():         by((*transaction).applyEndMove),
	cluster.RotateAuthority{}.Kind(): by((*transaction).applyRotateAuthority),
	cluster.AbortAuthority{}.Kind():  by((*transaction).applyAbortAuthority),
	cluster.NodeAuthority{}.Kind():   by((*transaction).applyNodeAuthority),
	cluster.RotateKey{}.Kind():       by((*transaction).applyRotateKey),
	cluster.AbortKey{}.Kind():        by((*transaction).applyAbortKey),
	cluster.TellKey{}.Kind():         by((*transaction).applyTellKey),
	cluster.TurnKey{}.Kind():         by((*transaction).applyTurnKey),
}

// by makes an applier of the method for one command.
func by[C cluster.Command](apply func(*transaction, C) rules.Refusal) applier {
	return func(t *transaction, c cluster.Command) rules.Refusal { return apply(t, c.(C)) }
}
