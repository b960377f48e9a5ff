package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/systemd"
)

// goodbyeWait bounds how long a daemon that was told to end waits for its
// announcement to be in the log.
const goodbyeWait = 2 * time.Second

// Goodbye tells the cluster that this daemon ends on purpose, so that its silence is
// not taken for a failure, and says in the log what follows from it. Without a quorum
// nobody hears it; then the silence counts as any other.
func (d *Daemon) Goodbye(ctx context.Context) {
	me, known := d.replica.Root().Nodes.Get(d.name)
	incarnation := d.admission.Incarnation()
	if !known || incarnation == 0 || me.Incarnation != incarnation || me.State == cluster.NodeLeft {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbyeWait)
	defer cancel()
	applied, err := d.propose(ctx, cluster.DaemonStopping{Node: d.name, Incarnation: incarnation})
	root := d.replica.Root()
	announced := err == nil && (len(applied.Refused) == 0 || applied.Refused[0].IsZero())
	systemd.Tell("STOPPING=1", "STATUS="+afterwards(root, d.name, d.boot, announced))
	if within := resetWithin(root, d.name, d.boot); within > 0 {
		d.logger.Warn(fmt.Sprintf("this host's watchdog is petted only while clusterd renews its lease: unless clusterd is "+
			"back, it resets this host with what runs here in %s at most; `clusterd node maintenance` beforehand prevents "+
			"that", span(within)), "node", d.name)
	}
	switch {
	case err != nil:
		grace := cluster.TimingFor(root.Document.Timing).SilentGrace
		d.logger.Warn(fmt.Sprintf("the cluster could not be told that clusterd stops here: unless it is back in %s, this "+
			"host may be fenced "+
			"and what runs here started elsewhere; VMs run on", grace), "node", d.name, "why", err)
	case !announced:
		d.logger.Warn("the cluster refused the announcement that clusterd stops here; VMs run on", "node", d.name, "why",
			applied.Refused[0])
	default:
		d.logger.Info(fmt.Sprintf("clusterd stops here on purpose; VMs run on. Unless it is back in %s, this host is "+
			"fenced and what runs here "+
			"starts elsewhere; `systemctl start clusterd` prevents that, `clusterd node maintenance` beforehand too",
			rules.GraceOf(root, d.name)), "node", d.name)
	}
}

// afterwards says in one line what follows from the end of a node's daemon: it stands in
// `systemctl status` as long as the daemon is stopped.
func afterwards(root *cluster.State, node, boot string, announced bool) string {
	how, within, what := "stopped on purpose", rules.GraceOf(root, node), "or this host is fenced"
	if !announced {
		how, within = "stopped, and the cluster could not be told", cluster.TimingFor(root.Document.Timing).SilentGrace
		what = "or this host may be fenced"
	}
	if reset := resetWithin(root, node, boot); reset > 0 {
		within, what = reset, "or the watchdog resets this host all the same, with what runs here"
	}
	return fmt.Sprintf("%s: back within %s, %s", how, span(within), what)
}

// resetWithin is when at the latest a host is reset by its watchdog once its daemon has ended; 0
// where it is not. The keeper outlives the daemon, but a lease is renewed by the daemon only; a
// host that holds nothing is petted without one.
func resetWithin(root *cluster.State, node, boot string) time.Duration {
	me, _ := root.Nodes.Get(node)
	guard := me.GuardOf(boot)
	if _, guarded := guard.WaitOut(); !guarded {
		return 0
	}
	here := func(h cluster.Holder) bool { return h.Machine == me.Machine() && h.Boot == boot }
	held := func(s *cluster.Service) bool { return s.HeldWhere(here) }
	if !slices.ContainsFunc(root.Services.Rows(), held) && !slices.ContainsFunc(root.Tombstones.Rows(), held) {
		return 0
	}
	return guard.Lease + guard.Timeout
}

// span writes a duration without the zeros at its end.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
