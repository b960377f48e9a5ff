package ocf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// hidden stands for a secret in what an agent said.
const hidden = "********"

// RevealBy implements agents.Revealing. It is called before the first act.
func (a *Agent) RevealBy(reveal agents.Reveal) { a.reveal = reveal }

// hider takes secrets out of what an agent said. The zero value hides nothing.
type hider struct{ secrets *strings.Replacer }

// shortestHidden is the length of the shortest secret that is looked for: a shorter one would be
// found in every word.
const shortestHidden = 4

// hiding makes a hider. Where one secret begins with another, the longer one is found.
func hiding(secrets []string) hider {
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, secret := range secrets {
		if len(secret) >= shortestHidden {
			pairs = append(pairs, secret, hidden)
		}
	}
	return hider{strings.NewReplacer(pairs...)}
}

// ended is what a program printed, whole: a sentence made of it may be cut in the middle of a
// secret.
func (h hider) ended(e program.Ended) program.Ended {
	if h.secrets != nil {
		e.Stdout, e.Stderr = []byte(h.secrets.Replace(string(e.Stdout))), []byte(h.secrets.Replace(string(e.Stderr)))
	}
	return e
}

// verdict is one in which a secret may stand that was not printed in one piece, or by no program
// at all.
func (h hider) verdict(v dialect.Verdict) dialect.Verdict {
	if h.secrets != nil {
		v.Why = h.secrets.Replace(v.Why)
	}
	return v
}

// opened is a resource as its agent needs it, with the secrets that its parameters refer to. It is
// made for one run of the agent and written down nowhere. hide takes them out of what the agent
// said.
func (a *Agent) opened(r resources.Resource) (_ resources.Resource, hide hider, err error) {
	if a.reveal == nil {
		return r, hider{}, nil
	}
	var all []string
	parameters := make(map[string]string, len(r.Parameters))
	for name, value := range r.Parameters {
		text, secrets, err := a.reveal(value)
		if err != nil {
			return r, hider{}, fmt.Errorf("parameter %s of %s: %w", name, r.Label(), err)
		}
		parameters[name] = text
		all = append(all, secrets...)
	}
	r.Parameters = parameters
	return r, hiding(all), nil
}
