package cluster_test

import (
	"fmt"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// BenchmarkPlan is what one plan costs with 500 services that run, without
// rules and where one has one; a leader makes one for each change.
func BenchmarkPlan(b *testing.B) {
	for name, exclusive := range map[string]bool{"without rules": false, "with one exclusive": true} {
		b.Run(name, func(b *testing.B) {
			var services []string
			for i := range 500 {
				services = append(services, fmt.Sprintf("vm:%03d", i))
			}
			book := clustertest.NewBook(b, 3, services...)
			for i, service := range services {
				book.Running(service, fmt.Sprintf("node%d", i%3+1))
			}
			first, _ := book.S.Services.Get(services[0])
			first.Spec.Rules = resources.Rules{Exclusive: exclusive}
			book.S.Services.Set(services[0], first)
			for b.Loop() {
				plan.Plan(book.S, cluster.View{Self: "node1"})
			}
		})
	}
}

// BenchmarkPlanOfCapacities is what one plan costs where services take memory and nodes have told
// what they have: 500 that run, and 250 that are down and are started by this plan.
func BenchmarkPlanOfCapacities(b *testing.B) {
	for name, down := range map[string]int{"all run": 0, "half are down": 250} {
		b.Run(name, func(b *testing.B) {
			var services []string
			for i := range 500 {
				services = append(services, fmt.Sprintf("vm:%03d", i))
			}
			book := clustertest.NewBook(b, 5, services...)
			for i, service := range services {
				s, _ := book.S.Services.Get(service)
				s.Spec.Demand = resources.Demand{Memory: resources.GiB, CPUs: 2}
				book.S.Services.Set(service, s)
				if i >= down {
					book.Running(service, fmt.Sprintf("node%d", i%5+1))
				}
			}
			for _, node := range book.S.Nodes.Keys() {
				has(book, node, 200)
			}
			for b.Loop() {
				plan.Plan(book.S, cluster.View{Self: "node1"})
			}
		})
	}
}
