package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/declare"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/quorum"
)

func vmCommand() *urfave.Command {
	return &urfave.Command{
		Name: "vm", Usage: "declare virtual machines, and take in those that exist already",
		Subcommands: append(declare.VM(changeDocument), &urfave.Command{
			Name: "import", Usage: "manage an existing libvirt domain; a running guest is not touched", ArgsUsage: "NAME",
			Flags: []urfave.Flag{
				&urfave.StringFlag{Name: "node", Usage: "the `NODE` where it is defined; default: this one"},
				&urfave.StringFlag{Name: "domain", Usage: "its failover `DOMAIN`"},
			},
			Action: func(c *urfave.Context) error {
				name, err := command.Argument(c, "libvirt's NAME of the VM")
				if err != nil {
					return err
				}
				client, err := command.Connect(c)
				if err != nil {
					return err
				}
				reply, err := client.Import(c.Context,
					api.ImportRequest{ID: api.NewRequestID(), Title: strings.TrimPrefix(name, "vm:"), Node: c.String("node"),
						Domain: c.String("domain")})
				if err != nil {
					return err
				}
				fmt.Println(reply.Why)
				return nil
			},
		}),
	}
}

func codesCommand() *urfave.Command {
	return &urfave.Command{
		Name: "codes", Usage: "list what clusterd says: each code with its sentence", ArgsUsage: "[PATTERN]",
		Description: "PATTERN is a code, or a pattern such as 'fence-*'. Alerts choose events by codes, and\n" +
			"`clustat --events --code` does. Exit code 1 when no code fits.",
		Action: func(c *urfave.Context) error {
			pattern := c.Args().First()
			if c.NArg() > 1 {
				return fmt.Errorf("%w: one pattern at most", cli.ErrUsage)
			}
			if pattern != "" && !message.Known(pattern) {
				return fmt.Errorf("there is no code like '%s'.%s", pattern, nearest.Hint(pattern, message.Names()))
			}
			fmt.Print(cli.Codes(pattern, 80))
			return nil
		},
	}
}

func doctorCommand() *urfave.Command {
	return &urfave.Command{
		Name: "doctor", Usage: "check every node: clocks, doorkeeper, autostart, image locks, BMCs, versions",
		Description: "Exit code 1 when something is wrong.",
		Action: func(c *urfave.Context) error {
			client, err := command.Connect(c)
			if err != nil {
				return err
			}
			report, err := client.Doctor(c.Context)
			if err != nil {
				return err
			}
			wrong := 0
			for _, f := range report.Findings {
				fmt.Print(cli.Wrap(f.Text, fmt.Sprintf("%-8s %-8s %-13s ", strings.ToUpper(f.Severity), f.Node, f.What),
					strings.Repeat(" ", 32), 80))
				if f.Next != "" {
					fmt.Print(cli.Wrap(f.Next, strings.Repeat(" ", 32)+"-> ", strings.Repeat(" ", 35), 80))
				}
				if f.Severity == "error" || f.Severity == "unknown" {
					wrong++
				}
			}
			switch wrong {
			case 0:
				return nil
			case 1:
				return errors.New("1 thing is wrong or unknown")
			default:
				return fmt.Errorf("%d things are wrong or unknown", wrong)
			}
		},
	}
}

func backupCommand() *urfave.Command {
	return &urfave.Command{
		Name: "backup", ArgsUsage: "FILE",
		Usage: "save the cluster's state, and the key to its secrets in a file of its own",
		Description: "Secrets in FILE are sealed. The key that opens them is written to FILE.key: keep the two " +
			"apart. `clusterd restore` needs both, or the node.key of a machine that was a member when the " +
			"backup was made.",
		Flags: []urfave.Flag{&urfave.StringFlag{Name: "key", Usage: "write the key to `KEYFILE` instead of FILE.key"}},
		Action: func(c *urfave.Context) error {
			path, err := command.Argument(c, "a FILE")
			if err != nil {
				return err
			}
			key := cmp.Or(c.String("key"), membership.BackupKey(path))
			for _, file := range []string{path, key} {
				if err := folderIs(file); err != nil {
					return err
				}
			}
			client, err := command.Connect(c)
			if err != nil {
				return err
			}
			content, err := client.Backup(c.Context)
			if err != nil {
				return err
			}
			if err := membership.WriteBackup(content, path, key); err != nil {
				return err
			}
			fmt.Printf("Saved the state to %s, with its secrets sealed, and the key that opens them to %s (both mode "+
				"0600). Keep them apart: together they are worth as much as a member's disk.\n", path, key)
			return nil
		},
	}
}

// folderIs refuses a path in a folder that is not there: it was mistyped, or is not mounted, and a
// backup in a new folder would be looked for in vain.
func folderIs(path string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return command.Usage("backup: there is no folder %s; make it, or mount what it lies on", folder)
	}
	return nil
}

func restoreCommand() *urfave.Command {
	return &urfave.Command{
		Name: "restore", Usage: "start over from a backup, on one node, after a total loss", ArgsUsage: "FILE",
		Flags: []urfave.Flag{&urfave.StringFlag{Name: "key",
			Usage: "read the key that opens it from `KEYFILE` instead of FILE.key"}},
		Description: "The daemon must be stopped and the data folder empty. What runs where is unknown until each node " +
			"was asked or fenced.",
		Action: func(c *urfave.Context) error {
			path, err := command.Argument(c, "the FILE of a backup")
			if err != nil {
				return err
			}
			node, err := command.NodeSettings(c)
			if err != nil {
				return err
			}
			if err := membership.RestoreFrom(node, path, c.String("key"), operator()); err != nil {
				return err
			}
			installDoorkeeper(node)
			fmt.Printf("Node %s begins the restored cluster when its daemon starts. Each other node of the backup joins "+
				"again: stop clusterd there, keep node.key and nothing else of its data folder, clusterd join with "+
				"a token of %s.\n",
				node.Name, node.Name)
			return nil
		},
	}
}

func recoverCommand() *urfave.Command {
	return &urfave.Command{
		Name: "recover", Usage: "continue without nodes that are lost for good, when the quorum is gone",
		ArgsUsage: "[DEAD-NODE...]",
		Description: "Its daemon must be stopped. Without names it only tells how far this node's log goes: compare the " +
			"survivors, and choose the one with the highest term, and among equals the highest index. With names it goes on " +
			"there without the dead. Each is named and its name is typed again: make sure that its machine is OFF, " +
			"because its VMs are started elsewhere. With --skip it lets this node step over a log entry " +
			"that no member can apply; it is typed on each member.",
		Flags: []urfave.Flag{
			&urfave.Uint64Flag{Name: "skip", Usage: "skip the log entry with this `INDEX`, which cannot be applied"},
			&urfave.StringFlag{Name: "entry",
				Usage: "the entry's `NAME`, as shown by the members that stopped at it; required where it was not reached"},
		},
		Action: func(c *urfave.Context) error {
			node, err := command.NodeSettings(c)
			if err != nil {
				return err
			}
			if c.IsSet("skip") || c.IsSet("entry") {
				return skipEntry(c, node)
			}
			if c.NArg() == 0 {
				return tellPosition(node)
			}
			if err := confirmDead(node, c.Args().Slice()); err != nil {
				return err
			}
			survivors, err := membership.RecoverLog(node, c.Args().Slice(), operator())
			if err != nil {
				return err
			}
			fmt.Printf("The log on %s is usable again with: %s. Start clusterd here first, then on the others.\n", node.Name,
				strings.Join(survivors, ", "))
			return nil
		},
	}
}

// skipEntry lets the daemon go on behind an entry that it cannot apply.
func skipEntry(c *urfave.Context, node nodefile.Node) error {
	if c.NArg() > 0 || !c.IsSet("skip") {
		return command.Usage("stepping over an entry takes its index and no names of nodes: clusterd recover --skip INDEX")
	}
	step, err := membership.StepOver(node, c.Uint64("skip"), c.String("entry"), operator())
	if err != nil {
		return err
	}
	fmt.Printf("At its next start the daemon on %s steps over entry %d (%s) if it still cannot be applied.\n",
		node.Name, step.Index, step.Name)
	fmt.Printf("Type the same on each other member that runs this version, then start them:\n"+
		"  clusterd recover --skip %d --entry '%s'\n", step.Index, step.Name)
	return nil
}

// tellPosition changes nothing: it is for choosing the node to recover on.
func tellPosition(node nodefile.Node) error {
	found, err := command.LogPosition(node)
	if err != nil {
		return err
	}
	var members []string
	for _, m := range found.Members {
		name := m.ID
		if m.Voter {
			name += " (votes)"
		}
		members = append(members, name)
	}
	fmt.Printf("The log on %s ends with term %d, index %d. Its members: %s.\n", node.Name, found.LastTerm,
		found.LastIndex, strings.Join(members, ", "))
	stuck, err := membership.StuckAt(node)
	if err != nil {
		return err
	}
	if stuck != nil {
		fmt.Printf("Its daemon stopped at entry %d (%s), which it could not apply: %s\n", stuck.Index, stuck.Name, stuck.Why)
	}
	fmt.Println("Nothing was changed. Recover on the survivor with the highest term, among equals with the highest " +
		"index: clusterd recover DEAD-NODE...")
	return nil
}

// confirmDead refuses what cannot be before anybody has to type.
func confirmDead(node nodefile.Node, dead []string) error {
	found, err := command.LogPosition(node)
	if err != nil {
		return err
	}
	for _, name := range dead {
		switch {
		case name == node.Name:
			return fmt.Errorf("%s is this node; name the nodes that are lost for good", name)
		case !slices.ContainsFunc(found.Members, func(m quorum.Member) bool { return m.ID == name }):
			return fmt.Errorf("%s is no member of the log; nothing was changed", name)
		}
	}
	lines := bufio.NewReader(os.Stdin)
	for _, name := range dead {
		fmt.Printf("Node %s must be powered OFF now. Type its name to confirm: ", name)
		typed, _ := lines.ReadString('\n')
		if strings.TrimSpace(typed) != name {
			return fmt.Errorf("%q was typed, not %q; nothing was changed", strings.TrimSpace(typed), name)
		}
	}
	return nil
}

// operator is who runs this tool, for the timeline and the audit trail.
func operator() string { return server.Person(int32(os.Getpid()), uint32(os.Geteuid())) }

func clientCommand() *urfave.Command {
	return &urfave.Command{
		Name: "client", Usage: "create a certificate for remote tools", ArgsUsage: "USER",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "role", Value: string(pki.RoleViewer),
				Usage: "viewer (reads), operator (moves, starts, stops, drains) or admin (everything)"},
			&urfave.DurationFlag{Name: "for", Value: pki.ClientValidity, Usage: "how long it is valid, 8760h at most"},
			&urfave.StringFlag{Name: "out", Usage: "the `FOLDER` to write ca.pem, client.pem and client.key to; required"},
			&urfave.BoolFlag{Name: "revoke", Usage: "revoke every certificate of USER instead of creating one"},
			&urfave.StringFlag{Name: "fingerprint",
				Usage: "with --revoke: only the certificate whose key's `FINGERPRINT` begins so"},
		},
		Action: makeClient,
	}
}

// shortestKey is how much of a fingerprint names a key.
const shortestKey = 8

func revokeClient(c *urfave.Context, name string) error {
	if c.String("out") != "" || c.IsSet("role") {
		return command.Usage("revoking takes the user, and --fingerprint for one of several certificates: "+
			"clusterd client %s --revoke", name)
	}
	key := strings.ToLower(strings.TrimSpace(c.String("fingerprint")))
	if c.IsSet("fingerprint") && len(key) < shortestKey {
		return command.Usage("--fingerprint needs the first %d characters of the key's fingerprint or more", shortestKey)
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	if _, err := client.ClientCertificate(c.Context, api.ClientRequest{User: name, Revoke: true,
		Fingerprint: key}); err != nil {
		return err
	}
	if key != "" {
		fmt.Printf("The certificate of %s whose key begins with %s is barred for good, and connections with it are cut.\n",
			name, key)
		return nil
	}
	fmt.Printf("Every certificate of %s is barred for good, and connections with them are cut.\n", name)
	return nil
}

func makeClient(c *urfave.Context) error {
	name, err := command.Argument(c, "a USER")
	if err != nil {
		return err
	}
	if c.Bool("revoke") {
		return revokeClient(c, name)
	}
	if c.IsSet("fingerprint") {
		return command.Usage("--fingerprint goes with --revoke")
	}
	if c.String("out") == "" {
		return command.Usage("client needs a folder: clusterd client %s --out FOLDER", name)
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	reply, err := client.ClientCertificate(c.Context, api.ClientRequest{User: name, Role: c.String("role"),
		Request: string(request), Validity: c.Duration("for")})
	if err != nil {
		return err
	}
	secret, err := key.PEM()
	if err != nil {
		return err
	}
	folder := c.String("out")
	for file, text := range map[string][]byte{"ca.pem": []byte(reply.Authority), "client.pem": []byte(reply.Certificate),
		"client.key": secret} {
		if err := pki.WriteSecret(filepath.Join(folder, file), text); err != nil {
			return err
		}
	}
	if err := reply.Keys.Write(folder); err != nil {
		return err
	}
	fmt.Printf("Wrote the %s certificate of %s to %s. Copy the folder to the user's ~/.config/clusterd.\n"+
		"Its key's fingerprint, for clusterd client %s --revoke --fingerprint, is %s\n",
		c.String("role"), name, folder, name, key.Fingerprint())
	return nil
}
