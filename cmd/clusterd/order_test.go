package main

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
)

func TestOptionsMayStandBehindOperands(t *testing.T) {
	for given, want := range map[string]string{
		"clusterd vm import web --node node1":            "clusterd vm import --node=node1 -- web",
		"clusterd --config /x node remove n1 --reason r": "clusterd --config /x node remove --reason=r -- n1",
		"clusterd node list":                             "clusterd node list --",
		"clusterd nonsense --x":                          "clusterd nonsense --x",
		"clusterd":                                       "clusterd",
	} {
		got, err := command.Ordered(newApp(), strings.Fields(given))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("ordered(%q) = %q, %v; want %q", given, strings.Join(got, " "), err, want)
		}
	}
	if _, err := command.Ordered(newApp(), strings.Fields("clusterd config apply f --resaon x")); err == nil ||
		!strings.Contains(err.Error(), "reason") {
		t.Errorf("a mistyped option must be refused with a suggestion, got %v", err)
	}
}
