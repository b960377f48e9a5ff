package rehearse

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// DrainPlan is what an order would do to the services of its node, by the rules that would decide
// it, and in the order in which they would. The State is left as it is; the error says why the
// order would be refused.
func DrainPlan(s *cluster.State, v cluster.View, c cluster.OrderNode) ([]cluster.DrainStep, error) {
	copied, v := s.Fork(), v.On(s, 0)
	order := cluster.Entry{Index: s.Index + 1, At: rules.Estimate(v, rules.Of(s)), Commands: []cluster.Command{c}}
	if err := apply.Apply(copied, order).Err(); err != nil {
		return nil, err
	}
	n, _ := copied.Nodes.Get(c.Node)
	p := plan.NewPlanner(rules.Of(copied), v.On(copied, 0), &plan.Decision{})
	steps := []cluster.DrainStep{}
	for _, name := range p.InOrder() {
		service, _ := copied.Services.Get(name)
		h, held := service.Holder(c.Node)
		if !held || !cluster.OnBoot(n)(h) {
			continue
		}
		step := p.StepFor(service)
		if step.Method == cluster.MethodStays && c.Within > 0 && step.ColdTarget != "" {
			step.Method, step.Target, step.Deadline = cluster.MethodCold, step.ColdTarget, true
		}
		if stays := service.Spec.Stays(); stays != "" && step.Method == cluster.MethodCold {
			step.Warnings = append(step.Warnings, message.StateWillStay.With(stays))
		}
		if step.Target != "" {
			p.Load[step.Target]++
			p.Puts(&service, step.Target)
		}
		steps = append(steps, step)
	}
	return steps, nil
}
