package rgconf

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// TestTheNewAgentsKnowTheirParameters asks the agents that are installed: each
// parameter that an example is translated to is one of theirs.
func TestTheNewAgentsKnowTheirParameters(t *testing.T) {
	catalogue := &dialect.Catalogue{Folders: dialect.Folders{Scratch: t.TempDir()}.WithDefaults()}
	sources, err := filepath.Glob("testdata/*.conf")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, source := range sources {
		_, _, document := translatedFile(t, source)
		parsed, err := config.Prepare(source, []byte(document),
			func(path string) ([]byte, error) { return importing.StandIn(path), nil })
		if err != nil {
			t.Fatal(err)
		}
		for name, spec := range parsed.Document.Services {
			for _, p := range resources.StartOrder(spec.Tree) {
				if !strings.HasPrefix(p.Resource.Type, "ocf:") {
					continue
				}
				agent, err := catalogue.Find(t.Context(), p.Resource.Type)
				if errors.Is(err, dialect.ErrNotInstalled) {
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", p.Resource.Type, err)
					continue
				}
				asked[p.Resource.Type] = true
				for _, fault := range resources.ParameterFaults(agent.Meta, p.Resource) {
					t.Errorf("%s: %s: %s %s", source, name, p.Resource.Label(), fault.Message)
				}
			}
		}
	}
	if len(asked) == 0 {
		t.Skip("none of the OCF agents is installed (apt-get install resource-agents)")
	}
}
