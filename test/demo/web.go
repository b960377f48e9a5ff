package main

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// pagePort is where the demonstration's pages are, apart from a real cluster's.
const pagePort = 7744

// tellPage makes a cluster with the page up, and leaves it there until Ctrl-C.
func tellPage(vms int) func(context.Context, *teller, stage.World) error {
	return func(ctx context.Context, t *teller, world stage.World) error {
		plan := stage.Plan{Cluster: "demo", Domains: domains, Services: append(services[:len(services):len(services)],
			crowd(vms)...), Top: []string{fmt.Sprintf(`web: {listen: ":%d"}`, pagePort)}}
		s := &story{teller: t, cluster: &stage.Cluster{World: world, Plan: plan}}
		s.cluster.Typed = func(node, command string, result stage.Result) { t.typed(world.Prompt(node), command, result) }
		s.headline("A cluster whose document has `web`")
		if err := s.cluster.Found(ctx); err != nil {
			return err
		}
		if err := s.cluster.Apply(ctx); err != nil {
			return err
		}
		if _, err := s.cluster.Wait(ctx, "all services run", stage.AllStarted); err != nil {
			return err
		}
		s.headline("The page is up on every node; each link lets one browser in, once")
		s.show(ctx, "node1", "clusterd", "web", "login", "--role", "admin")
		s.show(ctx, "node2", "clusterd", "web", "login")
		t.say("\nThe browser will not know the certificate's authority: compare the SHA-256 above, and go on.\n"+
			"Another link:  CLUSTERD_SOCKET=%s bin/clusterd web login --role admin\n"+
			"Ctrl-C takes everything away.", world.(*stage.Simulated).Socket("node1"))
		<-ctx.Done()
		return nil
	}
}

// crowd are so many further VMs.
func crowd(count int) []stage.Service {
	var vms []stage.Service
	for number := range count {
		vms = append(vms, stage.Service{Guest: lab.Guest{Name: fmt.Sprintf("vm%04d", number), Number: 100 + number}})
	}
	return vms
}

// pageLongest bounds how long the page is left up.
const pageLongest = 12 * time.Hour
