package recorder

import (
	"maps"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Blank stands where a secret was.
const Blank = "(blanked)"

// WithoutSecrets returns a State that may be shown to others, and from which Plan
// decides as it did from the whole one. The authority's key and the gossip key,
// passwords (old ones too) and options of fence devices, join tokens, the document's text and
// the definitions' texts are gone: the last two may hold passwords anywhere. The
// State given is not changed; it must be a root that nobody changes from here on.
func WithoutSecrets(root *cluster.State) *cluster.State {
	// Not Fork: that marks the tables of the root it is called on, which other
	// readers have too. Whatever is different here is replaced whole.
	state := *root
	state.Secrets = cluster.Secrets{}
	if state.Config.Text != "" {
		state.Config.Text = Blank
	}
	state.History, state.Config.Summary = nil, "" // earlier texts, and words about devices' options
	state.Tokens = cluster.Table[cluster.Token]{}
	state.OldLogins = cluster.Table[cluster.Login]{}
	state.Blobs = cluster.Table[string]{}
	for _, hash := range root.Blobs.Keys() {
		state.Blobs.Set(hash, Blank)
	}
	state.Document.Devices = make(map[string]fence.Device, len(root.Document.Devices))
	for name, device := range root.Document.Devices {
		state.Document.Devices[name] = withoutPassword(device)
	}
	state.Document.Services = make(map[string]resources.Spec, len(root.Document.Services))
	for name, spec := range root.Document.Services {
		state.Document.Services[name] = specWithoutSecrets(spec)
	}
	state.Services, state.Tombstones = servicesWithoutSecrets(root.Services), servicesWithoutSecrets(root.Tombstones)
	state.Document.Alerts = nil // addresses and headers may be secret, and Plan reads none of them
	return &state
}

// servicesWithoutSecrets copies only what holds a secret.
func servicesWithoutSecrets(of cluster.Table[cluster.Service]) cluster.Table[cluster.Service] {
	clean := of
	copied := false
	for _, name := range of.Keys() {
		service, _ := of.Get(name)
		if !treeHoldsSecret(service.Spec.Tree) {
			continue
		}
		if !copied {
			clean, copied = cluster.Table[cluster.Service]{}, true
			for _, each := range of.Keys() {
				other, _ := of.Get(each)
				clean.Set(each, other)
			}
		}
		service.Spec = specWithoutSecrets(service.Spec)
		clean.Set(name, service)
	}
	return clean
}

func specWithoutSecrets(spec resources.Spec) resources.Spec {
	if treeHoldsSecret(spec.Tree) {
		spec.Tree = treeWithoutSecrets(spec.Tree)
	}
	return spec
}

func treeHoldsSecret(tree []resources.Resource) bool {
	return slices.ContainsFunc(tree, func(r resources.Resource) bool {
		for name, value := range r.Parameters {
			if fence.IsSecret(name, value) {
				return true
			}
		}
		return treeHoldsSecret(r.Children)
	})
}

// treeWithoutSecrets is a copy whose secret parameters are blanked.
func treeWithoutSecrets(tree []resources.Resource) []resources.Resource {
	clean := slices.Clone(tree)
	for i := range clean {
		clean[i].Parameters = maps.Clone(clean[i].Parameters)
		for name, value := range clean[i].Parameters {
			if fence.IsSecret(name, value) {
				clean[i].Parameters[name] = Blank
			}
		}
		clean[i].Children = treeWithoutSecrets(clean[i].Children)
	}
	return clean
}

// withoutPassword blanks the options as well: what a driver takes by them is not
// known here, and a key of its BMC may be among it.
func withoutPassword(device fence.Device) fence.Device {
	if device.Password != "" {
		device.Password = Blank
	}
	options := make(map[string]string, len(device.Options))
	for name := range device.Options {
		options[name] = Blank
	}
	device.Options = options
	return device
}

// keptEvents is how much of the timeline a record keeps. Plan reads the last one
// only; the others tell a person how it came to this.
const keptEvents = 100

// shortened leaves out what is large and what Plan does not read.
func shortened(state *cluster.State) *cluster.State {
	short := *state
	short.Requests = cluster.Table[cluster.Request]{}
	if excess := len(short.Timeline) - keptEvents; excess > 0 {
		short.Timeline = short.Timeline[excess:]
	}
	return &short
}
