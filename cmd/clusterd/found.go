package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/clusterd/clusterd/internal/assemble"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
)

func initCommand() *urfave.Command {
	return &urfave.Command{
		Name: "init", Usage: "create a cluster, with this node as its first member",
		Description: "Makes the cluster's own authority and this node's key. Start the daemon afterwards, then take " +
			"other nodes in with `clusterd token` here and `clusterd join` there.",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "name", Usage: "the cluster's `NAME`; required"},
		},
		Action: func(c *urfave.Context) error {
			if c.String("name") == "" {
				return command.Usage("init needs the cluster's name: clusterd init --name alpha")
			}
			node, err := command.NodeSettings(c)
			if err != nil {
				return err
			}
			if err := membership.OnThisHost(node); err != nil {
				return err
			}
			if err := membership.Found(node, c.String("name")); err != nil {
				return err
			}
			fmt.Printf("Cluster %s is founded on node %s.\n", c.String("name"), node.Name)
			installDoorkeeper(node)
			fmt.Println("Next: start the daemon (systemctl start clusterd), then make a token for each further node: " +
				"clusterd token")
			return nil
		},
	}
}

func joinCommand() *urfave.Command {
	return &urfave.Command{
		Name: "join", Usage: "join a cluster with a token", ArgsUsage: "[TOKEN]",
		Description: "Without TOKEN it is read from standard input, so that it need not stand on a command line.",
		Action: func(c *urfave.Context) error {
			node, err := command.NodeSettings(c)
			if err != nil {
				return err
			}
			text, err := tokenText(c)
			if err != nil {
				return err
			}
			if err := membership.OnThisHost(node); err != nil {
				return err
			}
			membership, err := membership.JoinCluster(c.Context, node, daemon.Version, text)
			if err != nil {
				return err
			}
			fmt.Printf("Node %s joined cluster %s.\n", node.Name, membership.Cluster)
			installDoorkeeper(node)
			fmt.Println("Next: start the daemon: systemctl start clusterd")
			return nil
		},
	}
}

// mostToken bounds what is read in the search for a token.
const mostToken = 64 << 10

func tokenText(c *urfave.Context) (string, error) {
	switch c.NArg() {
	case 1:
		return c.Args().First(), nil
	case 0:
		if term.IsTerminal(int(os.Stdin.Fd())) {
			fmt.Fprint(os.Stderr, "Token (`clusterd token` on a member prints one): ")
		}
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, mostToken)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			return "", command.Usage("join: no token was given; get one with `clusterd token` on a member, and give it on " +
				"standard input or as the operand")
		}
		return line, nil
	}
	return "", command.Usage("join takes one token")
}

// installDoorkeeper puts libvirt's hook in place. A failure is told and does not
// undo the join: `clusterd doctor` goes on reminding.
func installDoorkeeper(node nodefile.Node) {
	if node.Simulate != nil || node.Witness || node.Hypervisor == nodefile.NoHypervisor {
		return
	}
	binary, door, err := assemble.DoorOf(node)
	if err == nil {
		var restart bool
		restart, err = doorkeeper.Install(node.HooksDir, binary, door, doorkeeper.DirectoryHooks)
		if err == nil && restart {
			fmt.Println("The doorkeeper hook was installed in " + node.HooksDir + ". libvirt sees it after one restart of " +
				"its daemon, which touches no VM: systemctl restart libvirtd")
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "warning: the doorkeeper was not installed on %s: %v\n", node.Name, err)
	}
}
