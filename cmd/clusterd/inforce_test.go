package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
)

// pretendedMember answers as the daemon of this host would.
type pretendedMember struct {
	status  error
	reply   api.ConfigReply
	refusal error
	sent    []api.ConfigChange
}

func (m *pretendedMember) Status(context.Context, bool) (api.Status, error) {
	return api.Status{Cluster: "alpha"}, m.status
}

func (m *pretendedMember) Config(context.Context) (api.Document, error) {
	return api.Document{Version: 7}, nil
}

func (m *pretendedMember) ChangeConfig(_ context.Context, change api.ConfigChange) (api.ConfigReply, error) {
	m.sent = append(m.sent, change)
	return m.reply, m.refusal
}

func TestACheckIsHeldAgainstWhatIsInForce(t *testing.T) {
	removed := api.ConfigEffect{Effect: string(config.EffectEnd), Text: "service vm:web: is removed; nothing starts it"}
	changed := api.ConfigEffect{Effect: string(config.EffectNow), Text: "timing changes"}
	masked := api.Failure{Code: "invalid_document", Message: "not valid", Details: []string{
		"document:12:71: the password is masked, and nothing is in force for it", "and 3 more faults"}}
	for name, c := range map[string]struct {
		member  pretendedMember
		cluster string
		said    string
		fault   string
	}{
		"no daemon":       {member: pretendedMember{status: errors.New("no daemon")}, cluster: "alpha"},
		"another cluster": {cluster: "beta", said: `This host belongs to cluster "alpha", and the document is one of "beta"`},
		"nothing changes": {cluster: "alpha", said: "Held against version 7, which is in force: 0 changes.\n"},
		"something is gone": {cluster: "alpha",
			member: pretendedMember{reply: api.ConfigReply{Plan: []api.ConfigEffect{removed, changed}}},
			said:   "2 changes, of which 1 removes something (service vm:web).\n"},
		"it would be refused": {cluster: "alpha",
			member: pretendedMember{reply: api.ConfigReply{Refused: "vm:web is started"}},
			said:   "The cluster would refuse it now: vm:web is started\n"},
		"a mask of nothing": {member: pretendedMember{refusal: masked}, cluster: "alpha",
			fault: "x.yaml:12:71: the password is masked, and nothing is in force for it\nand 3 more faults"},
		"no quorum": {member: pretendedMember{refusal: api.Failure{Code: "no_quorum"}}, cluster: "alpha"},
	} {
		parsed := config.Parsed{Document: cluster.Document{Cluster: c.cluster}, Text: "cluster: x\n"}
		said, err := heldAgainst(t.Context(), &c.member, "x.yaml", parsed)
		if !strings.Contains(said, c.said) || c.said == "" && said != "" {
			t.Errorf("%s: said %q, want %q", name, said, c.said)
		}
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || prefixed(err) != c.fault || exitCode(err) != 1) {
			t.Errorf("%s: %v, want %s", name, err, c.fault)
		}
		for _, change := range c.member.sent {
			if !change.DryRun || change.Base != 7 {
				t.Errorf("%s: a check sent %+v", name, change)
			}
		}
	}
}

// A document that was made for another cluster, or lost its end, takes most of what there is away.
func TestTheNameIsTypedWhereMostIsRemoved(t *testing.T) {
	gone := func(names ...string) (plan []api.ConfigEffect) {
		for _, name := range names {
			plan = append(plan, api.ConfigEffect{Effect: string(config.EffectEnd), Text: name + ": is removed"})
		}
		return plan
	}
	for name, c := range map[string]struct {
		plan   []api.ConfigEffect
		answer string
		typed  bool
		agreed bool
	}{
		"one of four":        {plan: gone("service vm:a"), answer: "y\n", agreed: true},
		"half, and yes":      {plan: gone("service vm:a", "node n1"), answer: "y\n", typed: true},
		"half, and the name": {plan: gone("service vm:a", "node n1"), answer: "alpha\n", typed: true, agreed: true},
		"devices only":       {plan: gone("device a", "device b", "device c"), answer: "y\n", agreed: true},
	} {
		var out strings.Builder
		p := planner{in: strings.NewReader(c.answer), out: &out, cluster: "alpha", declared: 4}
		agreed := p.agreed(c.plan)
		if agreed != c.agreed || strings.Contains(out.String(), "Type the cluster's name") != c.typed {
			t.Errorf("%s: agreed %v, said %q", name, agreed, out.String())
		}
	}
}
