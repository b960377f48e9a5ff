package config

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

func TestTheBrakesNumbers(t *testing.T) {
	parsed, err := Parse("a.yaml", []byte("cluster: a\nfencing: {at_once: 3, window: 5m, shots: 9}\n"), nil, nil)
	if want := (cluster.Fencing{AtOnce: 3, Window: 5 * time.Minute, Shots: 9}); err != nil || parsed.Document.Fencing != want {
		t.Fatalf("read %+v, %v", parsed.Document.Fencing, err)
	}
	for text, want := range map[string]string{
		"cluster: a\nfencing: {at_once: 0}\n":           "a.yaml:2:20: at_once of fencing is 0; it must be between 1 and 16",
		"cluster: a\nfencing: {window: 1s}\n":           "a.yaml:2:19: window of fencing is 1s; it must be between 1m0s and 24h0m0s",
		"cluster: a\nfencing: {shot: 3}\n":              "a.yaml:2:11: fencing has no key \"shot\". Did you mean 'shots'?",
		"cluster: a\nfencing: {at_once: 8}\n":           "a.yaml:2:10: fencing allows 8 nodes at once and only 6 shots in 10m0s; raise shots",
		"cluster: a\nfencing: {at_once: 8, shots: 2}\n": "a.yaml:2:30: fencing allows 8 nodes at once and only 2 shots",
		"cluster: a\nfencing: [1]\n":                    "a.yaml:2:10: fencing must be a mapping",
	} {
		if _, err := Parse("a.yaml", []byte(text), nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives\n%v\nwant\n%s", text, err, want)
		}
	}
}

func TestTheBrakeIsCompared(t *testing.T) {
	got := Diff(cluster.Document{}, cluster.Document{Fencing: cluster.Fencing{AtOnce: 2}})
	if len(got) != 1 || got[0] != "fencing: at_once changes from 1 to 2" {
		t.Errorf("the difference is told as %q", got)
	}
}
