package daemon

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// adjustLimit bounds what one changed declaration may take to be put in force.
const adjustLimit = 2 * time.Minute

// keepAdjusted tells the agent of declarations that changed while their service
// runs here, for what can be changed in place. It is no act on the service: the
// agent neither starts nor stops anything for it.
func (d *Daemon) keepAdjusted(ctx context.Context) {
	adjuster, can := d.agent.(agents.Adjuster)
	if !can {
		return
	}
	told := map[string]string{}
	for ctx.Err() == nil {
		changed := d.replica.Changed()
		if d.incarnation.Load() != 0 {
			for _, spec := range newlyDeclared(d.replica.Root(), d.name, told) {
				d.adjust(ctx, adjuster, spec)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// newlyDeclared lists the services at rest on a node whose declaration has not
// been told yet, and notes it.
func newlyDeclared(root *cluster.State, node string, told map[string]string) []resources.Spec {
	var list []resources.Spec
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		if service.Owner != node || service.Spec.Kind() != resources.KindService {
			delete(told, name)
			continue
		}
		if service.Intent == nil && told[name] != service.Spec.Definition {
			told[name] = service.Spec.Definition
			list = append(list, service.Spec)
		}
	}
	return list
}

func (d *Daemon) adjust(ctx context.Context, adjuster agents.Adjuster, spec resources.Spec) {
	ctx, cancel := context.WithTimeout(ctx, adjustLimit)
	defer cancel()
	what, err := adjuster.Adjust(ctx, spec)
	switch {
	case err != nil:
		d.logger.Warn("a changed declaration is not in force yet", "service", spec.Name, "why", err)
	case what != "":
		d.logger.Info("a changed declaration is in force", "service", spec.Name, "what", what)
	}
}
