package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const (
	rulesFile = "../../packaging/prometheus/alerts.yaml"
	boardFile = "../../packaging/grafana/clusterd.json"
)

// TestTheRulesAskForWhatThereIs: a rule about a metric that was renamed never speaks again.
func TestTheRulesAskForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Load(text, &file, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if unknown := unknownIn(rule.Expr); len(unknown) > 0 || !strings.Contains(rule.Expr, "clusterd") {
				t.Errorf("%s asks for %v in %s", rule.Alert, unknown, rule.Expr)
			}
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s has severity %q", rule.Alert, severity)
			}
			if rule.Alert == "" || seen[rule.Alert] || rule.Annotations["summary"] == "" || rule.Annotations["action"] == "" {
				t.Errorf("%q has no name of its own, or does not say what to do", rule.Alert)
			}
			seen[rule.Alert] = true
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d rules", len(seen))
	}
}

// TestPromtoolTakesTheRules plays testdata/alerts-test.yaml by the tool of Prometheus.
func TestPromtoolTakesTheRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool here; Debian has it in its package prometheus")
	}
	folder := t.TempDir()
	for to, from := range map[string]string{"alerts.yaml": rulesFile, "test.yaml": "testdata/alerts-test.yaml"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "test.yaml"}} {
		command := exec.Command(promtool, arguments...)
		command.Dir = folder
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", arguments, err, said)
		}
	}
}

// TestTheBoardShowsWhatThereIs: each panel asks for metrics that exist, and lies on no other.
func TestTheBoardShowsWhatThereIs(t *testing.T) {
	text, err := os.ReadFile(boardFile)
	if err != nil {
		t.Fatal(err)
	}
	type panel struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr string }
	}
	var board struct {
		UID        string
		Panels     []panel
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if unknown := unknownIn(string(text)); len(unknown) > 0 {
		t.Errorf("it asks for %v", unknown)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || (p.Type != "row" && len(p.Targets) == 0) {
			t.Errorf("panel %d %q: its number is another's, or it shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `job="$job"`) {
				t.Errorf("panel %q mixes clusters: %s", p.Title, target.Expr)
			}
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or over the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	if len(board.Panels) < 20 || board.UID == "" || len(board.Templating.List) != 2 {
		t.Errorf("%d panels, uid %q, variables %v", len(board.Panels), board.UID, board.Templating.List)
	}
}
