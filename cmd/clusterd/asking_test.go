package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
)

// TestWhatEndsServicesAsksFirst: a person at a terminal is asked, and nothing is sent before the
// answer is yes; a script is not asked.
func TestWhatEndsServicesAsksFirst(t *testing.T) {
	person := command.Ask
	defer func() { command.Ask = person }()
	status := api.Status{Cluster: "alpha", Local: "node1", Quorate: true, Nodes: []api.Node{{Name: "node1"}},
		Services: []api.Service{{Name: "vm:web", Owner: "node1"}}}
	answers := map[string]any{api.PathStatus: status, api.PathFence: api.FenceStatus{Nodes: []api.FenceNode{
		{Node: "node1", Devices: []api.FenceDevice{{Name: "bmc1"}}}}}}
	for line, question := range map[string]string{
		"cluster stop --wait 1ms":             "Stop all of these? [y/N] ",
		"node remove node1":                   "Node node1 is taken out for good",
		"fence node node1 --off --wait 0s":    "The power of node1 is cut: vm:web ends there",
		"fence node node1 --reboot --wait 0s": "The power of node1 is cut: vm:web ends there",
	} {
		for _, c := range []struct {
			more, answer string
			there, sends bool
		}{{answer: "", there: true}, {answer: "n\n", there: true}, {answer: "yess\n", there: true},
			{answer: "y\n", there: true, sends: true}, {answer: "YES\n", there: true, sends: true},
			{more: " --yes", there: true, sends: true}, {sends: true}} {
			var asked []string
			var sent atomic.Int32
			command.Ask = func(question string) (string, bool) {
				asked = append(asked, question)
				return c.answer, c.there
			}
			socket := answeringWith(t, answers, func(r *http.Request) {
				if r.Method != http.MethodGet {
					sent.Add(1)
				}
			})
			app := newApp()
			words, err := command.Ordered(app, append([]string{"clusterd", "--socket", socket}, strings.Fields(line+c.more)...))
			if err != nil {
				t.Fatal(err)
			}
			err = app.RunContext(t.Context(), words)
			if refused := errors.Is(err, command.ErrRefused); refused == c.sends || (sent.Load() > 0) != c.sends {
				t.Errorf("%s%s, answer %q, a person %t: %v, sent %d", line, c.more, c.answer, c.there, err, sent.Load())
			}
			if wanted := c.more == ""; wanted != slices.ContainsFunc(asked, func(q string) bool {
				return strings.Contains(q, question)
			}) {
				t.Errorf("%s%s asked %q", line, c.more, asked)
			}
		}
	}
}

// TestAWaitThatNobodyAnsweredSaysSo: "still holds services" is more than is known then.
func TestAWaitThatNobodyAnsweredSaysSo(t *testing.T) {
	client, err := api.NewClient(api.Options{Socket: t.TempDir() + "/nobody"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	holding, err := api.NewClient(api.Options{Socket: answering(t, api.Status{Nodes: []api.Node{{Name: "node1",
		State: "leaving", Order: &api.NodeOrder{Order: "drain", Holds: []string{"vm:web"}}}}})})
	if err != nil {
		t.Fatal(err)
	}
	defer holding.Close()
	const wait = 30 * time.Millisecond
	for name, err := range map[string]error{"leave": waitLeft(t.Context(), client, "node1", wait),
		"drain": waitEmpty(t.Context(), client, "node1", wait)} {
		if !errors.Is(err, api.ErrNoDaemon) || !strings.Contains(err.Error(), "it is not known whether node node1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{"leave": waitLeft(t.Context(), holding, "node1", wait),
		"drain": waitEmpty(t.Context(), holding, "node1", wait)} {
		if err == nil || !strings.Contains(err.Error(), "node node1 still holds services after 30ms") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
