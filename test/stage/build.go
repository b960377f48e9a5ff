package stage

import (
	"context"
	"fmt"
	"os/exec"
)

// BuildTags are those of every build of clusterd.
const BuildTags = "libvirt_dlopen,urfave_cli_no_docs"

// BuildTools builds all commands of the source tree at root into a folder, for tests; programs
// are given the folder of a build.
func BuildTools(ctx context.Context, root, folder string) error {
	command := exec.CommandContext(ctx, "go", "build", "-tags", BuildTags, "-o", folder+"/", "./cmd/clusterd",
		"./cmd/clusterd-doorkeeper", "./cmd/clustat", "./cmd/clusvcadm")
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tools: %w\n%s", err, output)
	}
	return nil
}
