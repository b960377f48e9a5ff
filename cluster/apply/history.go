package apply

import (
	"strings"

	"github.com/clusterd/clusterd/cluster"
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
