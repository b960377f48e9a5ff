package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
)

// goodbyeWait bounds how long a daemon that was told to end waits for its
// announcement to be in the log.
const goodbyeWait = 2 * time.Second

// Goodbye tells the cluster that this daemon ends on purpose, so that its silence is
// not taken for a failure, and says in the log what follows from it. Without a quorum
// nobody hears it; then the silence counts as any other.
func (d *Daemon) Goodbye(ctx context.Context) {
	me, known := d.replica.Root().Nodes.Get(d.name)
	incarnation := d.incarnation.Load()
	if !known || incarnation == 0 || me.Incarnation != incarnation || me.State == cluster.NodeLeft {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbyeWait)
	defer cancel()
	applied, err := d.propose(ctx, cluster.DaemonStopping{Node: d.name, Incarnation: incarnation})
	root := d.replica.Root()
	switch {
	case err != nil:
		grace := cluster.TimingFor(root.Document.Timing).SilentGrace
		d.logger.Warn(fmt.Sprintf("the cluster could not be told that clusterd stops here: unless it is back in %s, this "+
			"host may be fenced "+
			"and what runs here started elsewhere; VMs run on", grace), "node", d.name, "why", err)
	case len(applied.Refused) > 0 && !applied.Refused[0].IsZero():
		d.logger.Warn("the cluster refused the announcement that clusterd stops here; VMs run on", "node", d.name, "why",
			applied.Refused[0])
	default:
		d.logger.Info(fmt.Sprintf("clusterd stops here on purpose; VMs run on. Unless it is back in %s, this host is "+
			"fenced and what runs here "+
			"starts elsewhere; `systemctl start clusterd` prevents that, `clusterd node maintenance` beforehand too",
			rules.GraceOf(root, d.name)), "node", d.name)
	}
}
