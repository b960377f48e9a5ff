package tryout

import (
	"errors"
	"fmt"
	"io"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// validateHere asks the agents of this host whether they could run a service
// here. It starts nothing, and so may be asked at any time.
func validateHere(c *urfave.Context, out io.Writer) error {
	parsed, name, err := fileAndService(c)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("agents run as root")
	}
	l, err := agentLibrary(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.catalogue.Folders.Scratch, 0o755); err != nil {
		return err
	}
	failed := 0
	for _, p := range resources.StartOrder(parsed.Document.Services[name].Tree) {
		agent, err := l.catalogue.Find(c.Context, p.Resource.Type)
		if err != nil {
			failed++
			fmt.Fprintf(out, "%s: %v\n", p.Resource.Label(), err)
			continue
		}
		request := dialect.Request{Resource: p.Resource, Action: dialect.Validate, Node: l.node.Name,
			Timeout: agent.Limit(p.Resource, dialect.Validate, resources.ResourceCheck{})}
		command, has := agent.Program(request)
		if !has || !agent.Meta.Has("validate-all") {
			fmt.Fprintf(out, "%s: its agent cannot be asked\n", p.Resource.Label())
			continue
		}
		verdict := agent.Judge(request, program.Run(c.Context, command))
		if verdict.Outcome != dialect.OK {
			failed++
			fmt.Fprintf(out, "%s: %s\n", p.Resource.Label(), verdict.Why)
			continue
		}
		fmt.Fprintf(out, "%s: valid\n", p.Resource.Label())
	}
	if failed > 0 {
		return fmt.Errorf("%d resources of %s could not run here as they are; one that needs a file system that is not "+
			"mounted yet may say so too", failed, name)
	}
	return nil
}
