package daemon

import (
	"context"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// mayComeUp reports whether a managed VM may come up here now, by what libvirt's hook asks.
func (d *Daemon) mayComeUp(uuid, operation string) (may bool, why string) {
	service, may, why := d.passable(uuid)
	if may && service == "" && operation == operationMigrate && !d.admitted() {
		// Its State may be from before that VM was declared. What starts by itself does not wait.
		may = false
		why = "clusterd on " + d.name + " is not admitted yet and cannot tell whether this VM is managed"
	}
	if may && arrives(d.replica.Root(), d.name, service) {
		switch operation {
		case operationMigrate:
			d.arrivals.announce(uuid, time.Now())
		case operationPrepare:
			if !d.arrivals.take(uuid, time.Now()) {
				may, why = false, service+" is expected here by live migration, and this is a start"
			}
		}
	}
	if !may {
		d.logger.Warn("the doorkeeper refused a VM", "service", service, "uuid", uuid, "operation", operation,
			"why", why)
	}
	return may, why
}

// doorPatience is how long the door stays shut before it says no: the intent
// that a migration's source acts on may be a moment away from being applied here.
const doorPatience = 500 * time.Millisecond

func (d *Daemon) passable(uuid string) (service string, may bool, why string) {
	if d.book.lost != nil {
		// What it does not know may be managed all the same: its State is empty, or too old.
		return "", false, "clusterd on " + d.name + " holds no log and cannot tell which VMs are managed; see clustat"
	}
	if d.odd.Load() {
		return "", false, "what clusterd on " + d.name + " knows is not what the other nodes agreed upon; see clustat"
	}
	deadline := time.NewTimer(doorPatience)
	defer deadline.Stop()
	for {
		changed := d.replica.Changed()
		var because message.Text
		service, may, because = cluster.PassableFor(d.replica.Root(), d.name, d.incarnation.Load(), uuid)
		why = because.String()
		if may && service != "" && !d.guard.InForce() {
			may, why = false, service+" may come up here only once this host's watchdog is known to end it with its lease"
		}
		if forbidden := d.forbidden(service); may && forbidden != "" {
			return service, false, forbidden
		}
		if may {
			d.awaitCalls(uuid)
			return service, may, why
		}
		select {
		case <-changed:
		case <-time.After(cluster.Tick):
		case <-deadline.C:
			return service, may, why
		}
	}
}

// forbidden says why the definition of a VM may not come up on this node by the node's own policy.
func (d *Daemon) forbidden(service string) string {
	root := d.replica.Root()
	known, found := root.Services.Get(service)
	if !found {
		return ""
	}
	text, _ := root.Blobs.Get(known.Spec.Definition)
	if why := d.options.Node.Definitions.Refuses(text); why != "" {
		return "the definition of " + service + " is refused on " + d.name + ": " + why
	}
	return ""
}

// forbiddenIn names a VM of a document whose definition this node's policy forbids. Other nodes may
// have other policies; each is held where the VM would come up.
func (d *Daemon) forbiddenIn(parsed config.Parsed) string {
	for _, name := range sortedNames(parsed.Document.Services) {
		spec := parsed.Document.Services[name]
		if spec.Kind() != resources.KindVM {
			continue
		}
		if why := d.options.Node.Definitions.Refuses(parsed.Blobs[spec.Definition]); why != "" {
			return "the definition of " + name + " is refused by " + d.name + ": " + why
		}
	}
	return ""
}

// callPatience bounds how long the door waits for an earlier call about the VM.
const callPatience = 2 * time.Second

// awaitCalls lets the hypervisor end what it still has to do about a VM that
// left a moment ago, before the same VM comes in again.
func (d *Daemon) awaitCalls(uuid string) {
	agent, waits := d.agent.(agents.Awaiting)
	if !waits {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	agent.AwaitCalls(ctx, strings.ToLower(uuid))
}
