package recorder

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// Blank stands where a secret was.
const Blank = "(blanked)"

// WithoutSecrets returns a State that may be shown to others, and from which Plan
// decides as it did from the whole one. The authority's key and the gossip key,
// passwords (old ones too) and options of fence devices, join tokens, the document's text and
// the definitions' texts are gone: the last two may hold passwords anywhere. The
// State given is not changed; it must be a root that nobody changes any more.
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
	state.Document.Alerts = nil // addresses and headers may be secret, and Plan reads none of them
	return &state
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
