package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

// NodeSettings loads the node's own file.
func NodeSettings(c *urfave.Context) (nodefile.Node, error) {
	return nodefile.Load(c.String("config"))
}

// Connect makes a client to the daemon that the flags, the environment or the
// node's own file choose.
func Connect(c *urfave.Context) (*api.Client, error) {
	options := api.Options{Socket: c.String("socket"), Host: c.String("host"), Identity: c.String("identity")}
	if options.Socket == "" && options.Host == "" && os.Getenv(api.SocketVariable) == "" &&
		os.Getenv(api.HostVariable) == "" {
		if node, err := NodeSettings(c); err == nil {
			options.Socket, options.Folder = node.SocketPath(), node.DataDir
		}
	}
	return api.NewClient(options)
}

// PrintJSON prints an answer of the daemon for programs.
func PrintJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// Describe adds what to do next, where the error knows it.
func Describe(err error) string {
	text := err.Error()
	var failure api.Failure
	if errors.As(err, &failure) {
		for _, line := range failure.Details {
			text += "\n  " + line
		}
	}
	if advice := api.Advice(err); advice != "" {
		text += "\n" + advice
	}
	return text
}

// LogPosition looks into the log of this node, whose daemon is stopped.
func LogPosition(node nodefile.Node) (quorum.LogPosition, error) {
	found, err := quorum.Inspect(membership.Folder(node.DataDir).LogDir())
	if err != nil {
		return found, fmt.Errorf("look into the log of %s: %w", node.Name, err)
	}
	return found, nil
}
