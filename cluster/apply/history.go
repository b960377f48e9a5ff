package apply

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// revise puts a document's text into force and keeps the old one.
func (t *transaction) revise(c cluster.Configure) {
	next := cluster.Config{Version: t.Config.Version + 1, Text: c.Text, At: t.At, By: c.By, Reason: c.Reason,
		Summary: cut(c.Summary, cluster.MaxSummary)}
	if t.Config.Version > 0 {
		t.History = cluster.KeepRevision(t.History, t.Config, c.Text)
	}
	if c.Document.TwoNode != nil {
		next.Index = t.index
	}
	t.Config = next
}

// cut bounds a text, at a letter's edge.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// pluggedIn keeps which devices were plugged into what runs, and tells of each change: nothing
// refuses them, and nothing brings them back after a stop.
func (t *transaction) pluggedIn(service cluster.Service, h cluster.Holder, o resources.Observation) cluster.Holder {
	if o.Plugged == nil || slices.Equal(o.Plugged.Names, h.Plugged) {
		return h
	}
	h.Plugged = o.Plugged.Names[:min(len(o.Plugged.Names), mostPlugged)]
	why := message.VMUnplugged.With()
	if len(h.Plugged) > 0 {
		why = message.VMPlugged.With(cut(h.PluggedNames(), longestPlugged))
	}
	t.tell(cluster.Event{Node: h.Node, Subject: service.Spec.Name, Why: why})
	return h
}

// What is kept and told of devices that were plugged in.
const (
	mostPlugged    = 9
	longestPlugged = 600
)
