package ocf

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// hidden stands for a secret in what an agent said.
const hidden = "********"

// RevealBy implements agents.Revealing. It is called before the first act.
func (a *Agent) RevealBy(reveal agents.Reveal) { a.reveal = reveal }

// opened is a resource as its agent needs it, with the secrets that its parameters refer to. It is
// made for one run of the agent and written down nowhere. hide takes them out of what the agent
// said.
func (a *Agent) opened(r resources.Resource) (
	_ resources.Resource, hide func(dialect.Verdict) dialect.Verdict, err error) {
	if a.reveal == nil {
		return r, func(v dialect.Verdict) dialect.Verdict { return v }, nil
	}
	var pairs []string
	parameters := make(map[string]string, len(r.Parameters))
	for name, value := range r.Parameters {
		text, secrets, err := a.reveal(value)
		if err != nil {
			return r, nil, fmt.Errorf("parameter %s of %s: %w", name, r.Label(), err)
		}
		parameters[name] = text
		for _, secret := range secrets {
			// A shorter one would be found in every word.
			if len(secret) > 3 {
				pairs = append(pairs, secret, hidden)
			}
		}
	}
	r.Parameters = parameters
	hider := strings.NewReplacer(pairs...)
	return r, func(v dialect.Verdict) dialect.Verdict {
		v.Why = hider.Replace(v.Why)
		return v
	}, nil
}
