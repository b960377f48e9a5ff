package assemble

import (
	"log/slog"
	"path/filepath"

	"github.com/clusterd/clusterd/fence"
	fenceagent "github.com/clusterd/clusterd/fence/agent"
	"github.com/clusterd/clusterd/fence/power"
	"github.com/clusterd/clusterd/internal/config/nodefile"
)

// PowerDrivers are the fence drivers that switch power.
func PowerDrivers(logger *slog.Logger) map[string]fence.Driver {
	return map[string]fence.Driver{
		power.KindIPMI:     power.New(power.KindIPMI, power.Options{Logger: logger}),
		power.KindIPMITool: power.New(power.KindIPMITool, power.Options{Logger: logger}),
		power.KindRedfish:  power.New(power.KindRedfish, power.Options{Logger: logger}),
		fenceagent.Kind:    fenceagent.New(fenceagent.Options{Logger: logger}),
	}
}

// managedPath is where the doorkeeper finds the managed VMs when the daemon is
// down: on disk, because the doorkeeper must know them right after a boot.
func managedPath(node nodefile.Node) string { return filepath.Join(node.DataDir, "managed") }
