package metrics

import (
	"os"
	"regexp"
	"testing"

	"github.com/clusterd/clusterd/internal/manual"
)

// TestThePageOfMetrics holds docs/operators/metrics.md; REWRITE=1 writes it anew.
func TestThePageOfMetrics(t *testing.T) {
	head, err := os.ReadFile("testdata/metrics-head.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(head) + Page() + "\nBeside these are the customary `process_…` and `go_…` of a Go program.\n"
	manual.Same(t, "../../docs/operators/metrics.md", page)
	for _, used := range unknownIn(string(head)) {
		t.Errorf("the page tells of %s, which is no metric", used)
	}
}

var metricName = regexp.MustCompile(`\bclusterd_[a-z_]+`)

// unknownIn are the names in a text that look like metrics and are none.
func unknownIn(text string) (unknown []string) {
	known := map[string]bool{}
	for _, f := range families {
		known[f.name] = true
		if f.kind == histogram {
			known[f.name+"_bucket"], known[f.name+"_sum"], known[f.name+"_count"] = true, true, true
		}
	}
	for _, name := range metricName.FindAllString(text, -1) {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
