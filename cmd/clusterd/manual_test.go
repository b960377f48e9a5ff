package main

import (
	_ "embed"
	"testing"

	"github.com/clusterd/clusterd/internal/manual"
)

//go:embed manual.txt
var prose string

//go:embed manual-fence.txt
var fenceProse string

// elsewhere are the commands with a page of their own.
var elsewhere = map[string]string{"fence": "clusterd-fence"}

func TestManualPageAndCompletion(t *testing.T) {
	app := newApp()
	page := manual.Page{Name: app.Name, Usage: app.Usage,
		Synopsis: []string{"clusterd [options] COMMAND [options] [ARGUMENT]"}, Flags: app.Flags,
		Commands: app.Commands, Prefix: app.Name, Elsewhere: elsewhere, Prose: prose}
	manual.Same(t, "../../docs/man/clusterd.8", page.Text())
	manual.SameCompletions(t, "../../packaging",
		manual.Tool{Name: app.Name, Flags: app.Flags, Commands: app.Commands})
}

func TestManualPageOfFence(t *testing.T) {
	command := fenceCommand()
	page := manual.Page{Name: "clusterd-fence", Usage: command.Usage,
		Synopsis: []string{"clusterd fence COMMAND [options] [NODE]"},
		Commands: command.Subcommands, Prefix: "clusterd fence", Prose: fenceProse}
	manual.Same(t, "../../docs/man/clusterd-fence.8", page.Text())
}
