package passage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Passable reports whether a managed VM may come up here now, by what libvirt's hook asks.
func (d *Door) Passable(uuid, operation string) (may bool, why string) {
	service, may, why := d.passable(uuid)
	if may && service == "" && operation == operationMigrate && !d.Admitted() {
		// Its State may be from before that VM was declared. What starts by itself does not wait.
		may = false
		why = "clusterd on " + d.Node + " is not admitted yet and cannot tell whether this VM is managed"
	}
	if may && arrives(d.Log.Root(), d.Node, service) {
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
		d.Logger.Warn("the doorkeeper refused a VM", "service", service, "uuid", uuid, "operation", operation,
			"why", why)
	}
	return may, why
}

// doorPatience is how long the door stays shut before it says no: the intent
// that a migration's source acts on may be a moment away from being applied here.
const doorPatience = 500 * time.Millisecond

func (d *Door) passable(uuid string) (service string, may bool, why string) {
	if why := d.Blind(); why != "" {
		return "", false, why
	}
	deadline := time.NewTimer(doorPatience)
	defer deadline.Stop()
	for {
		changed := d.Log.Changed()
		var because message.Text
		service, may, because = cluster.PassableFor(d.Log.Root(), d.Node, d.Incarnation(), uuid)
		why = because.String()
		if may && service != "" && !d.InForce() {
			may, why = false, service+" may come up here only once this host's watchdog is known to end it with its lease"
		}
		if forbidden := d.Forbidden(service); may && forbidden != "" {
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

// Forbidden says why the definition of a VM may not come up on this node by the node's own policy.
func (d *Door) Forbidden(service string) string {
	root := d.Log.Root()
	known, found := root.Services.Get(service)
	if !found {
		return ""
	}
	text, _ := root.Blobs.Get(known.Spec.Definition)
	if why := d.Policy.Refuses(text); why != "" {
		return "the definition of " + service + " is refused on " + d.Node + ": " + why
	}
	return ""
}

// ForbiddenIn names a VM of a document whose definition this node's policy forbids. Other nodes may
// have other policies; each is held where the VM would come up.
func (d *Door) ForbiddenIn(parsed config.Parsed) string {
	for _, name := range slices.Sorted(maps.Keys(parsed.Document.Services)) {
		spec := parsed.Document.Services[name]
		if spec.Kind() != resources.KindVM {
			continue
		}
		if why := d.Policy.Refuses(parsed.Blobs[spec.Definition]); why != "" {
			return "the definition of " + name + " is refused by " + d.Node + ": " + why
		}
	}
	return ""
}

// callPatience bounds how long the door waits for an earlier call about the VM.
const callPatience = 2 * time.Second

// awaitCalls lets the hypervisor end what it still has to do about a VM that
// left a moment ago, before the same VM comes in again.
func (d *Door) awaitCalls(uuid string) {
	agent, waits := d.Agent.(agents.Awaiting)
	if !waits {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	agent.AwaitCalls(ctx, strings.ToLower(uuid))
}
