package main

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

func vmCommand() *urfave.Command {
	return &urfave.Command{
		Name: "vm", Usage: "take virtual machines in",
		Subcommands: []*urfave.Command{{
			Name: "import", Usage: "manage an existing libvirt domain; a running guest is not touched", ArgsUsage: "NAME",
			Flags: []urfave.Flag{
				&urfave.StringFlag{Name: "node", Usage: "the `NODE` where it is defined; this one if not given"},
				&urfave.StringFlag{Name: "domain", Usage: "its failover `DOMAIN`"},
			},
			Action: func(c *urfave.Context) error {
				name, err := argument(c, "libvirt's NAME of the VM")
				if err != nil {
					return err
				}
				client, err := connect(c)
				if err != nil {
					return err
				}
				reply, err := client.Import(c.Context, api.ImportRequest{ID: api.NewRequestID(), Title: strings.TrimPrefix(name, "vm:"), Node: c.String("node"), Domain: c.String("domain")})
				if err != nil {
					return err
				}
				fmt.Println(reply.Why)
				return nil
			},
		}},
	}
}

func fenceCommand() *urfave.Command {
	return &urfave.Command{
		Name: "fence", Usage: "how each node could be made harmless",
		Subcommands: []*urfave.Command{
			{Name: "status", Usage: "the fence devices and their last answers", Action: fenceStatus},
			{Name: "node", Usage: "cut a node's power by its fence devices", ArgsUsage: "NODE", Action: fenceNode, Flags: []urfave.Flag{
				&urfave.BoolFlag{Name: "off", Usage: "really do it"},
				&urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}}},
			{Name: "test", Usage: "drill: empty a node, cut its power, see it silent, boot it, see it back", ArgsUsage: "NODE", Action: fenceTest, Flags: []urfave.Flag{
				&urfave.IntFlag{Name: "level", Usage: "the fence level to test", Value: 1},
				&urfave.DurationFlag{Name: "wait", Usage: "how long to wait for each step", Value: 10 * time.Minute}}},
			{Name: "confirm", Usage: "say that a lost node's machine is off, where no device can", ArgsUsage: "NODE", Action: fenceConfirm, Flags: []urfave.Flag{
				&urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}}},
		},
	}
}

func fenceStatus(c *urfave.Context) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	status, err := client.Fence(c.Context)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tDEVICE\tDRIVER\tADDRESS\tPOWER\tCHECKED")
	var problems []string
	for _, n := range status.Nodes {
		if len(n.Devices) == 0 {
			fmt.Fprintf(table, "%s\tnone\t\t\t\t\n", n.Node)
		}
		for _, d := range n.Devices {
			checked := "never"
			if !d.Checked.IsZero() {
				checked = d.Checked.Local().Format("15:04:05")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", n.Node, d.Name, d.Driver, d.Address, d.Power, checked)
		}
		if n.Unprotected != "" {
			problems = append(problems, cli.Wrap(n.Unprotected, n.Node+" unprotected: ", "    ", 80))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, text := range problems {
		fmt.Print(text)
	}
	return nil
}

// fenceNode shoots a node on an administrator's word.
func fenceNode(c *urfave.Context) error {
	name, err := argument(c, "a NODE")
	if err != nil {
		return err
	}
	if !c.Bool("off") {
		return usage("fence node %s: say --off if its power shall really be cut; its VMs are started elsewhere then", name)
	}
	return fenceByHand(c, "off", name, "The fence intent for "+name+" is in the log; watch it with clustat --events.")
}

// fenceConfirm takes an operator's word, typed twice: a wrong one would let a VM
// run twice.
func fenceConfirm(c *urfave.Context) error {
	name, err := argument(c, "a NODE")
	if err != nil {
		return err
	}
	fmt.Printf("If %s still runs, its VMs will run TWICE and destroy their disks.\nMake sure that the machine has no power. Type its name to confirm: ", name)
	typed, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(typed) != name {
		return fmt.Errorf("%q was typed, not %q; nothing was changed", strings.TrimSpace(typed), name)
	}
	return fenceByHand(c, "confirm", name, name+" counts as off; what it held is started elsewhere.")
}

func fenceByHand(c *urfave.Context, op, name, done string) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	if _, err := client.FenceByHand(c.Context, api.FenceRequest{ID: api.NewRequestID(), Op: op, Node: name, Reason: c.String("reason")}); err != nil {
		return err
	}
	fmt.Println(done)
	return nil
}

func doctorCommand() *urfave.Command {
	return &urfave.Command{
		Name: "doctor", Usage: "examine every node: clocks, doorkeeper, autostart, image locks, BMCs, versions",
		Description: "Exit code 1 when something is wrong.",
		Action: func(c *urfave.Context) error {
			client, err := connect(c)
			if err != nil {
				return err
			}
			report, err := client.Doctor(c.Context)
			if err != nil {
				return err
			}
			wrong := 0
			for _, f := range report.Findings {
				fmt.Print(cli.Wrap(f.Text, fmt.Sprintf("%-8s %-8s %-13s ", strings.ToUpper(f.Severity), f.Node, f.What), strings.Repeat(" ", 32), 80))
				if f.Next != "" {
					fmt.Print(cli.Wrap(f.Next, strings.Repeat(" ", 32)+"-> ", strings.Repeat(" ", 35), 80))
				}
				if f.Severity == "error" || f.Severity == "unknown" {
					wrong++
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%d things are wrong or unknown", wrong)
			}
			return nil
		},
	}
}

func backupCommand() *urfave.Command {
	return &urfave.Command{
		Name: "backup", Usage: "save the cluster's state; the file holds secrets", ArgsUsage: "FILE",
		Action: func(c *urfave.Context) error {
			path, err := argument(c, "a FILE")
			if err != nil {
				return err
			}
			client, err := connect(c)
			if err != nil {
				return err
			}
			content, err := client.Backup(c.Context)
			if err != nil {
				return err
			}
			if err := pki.WriteSecret(path, content); err != nil {
				return err
			}
			fmt.Printf("Saved %d bytes to %s (mode 0600: it holds the authority's key and BMC passwords).\n", len(content), path)
			return nil
		},
	}
}

func restoreCommand() *urfave.Command {
	return &urfave.Command{
		Name: "restore", Usage: "begin again from a backup, on one node, after everything was lost", ArgsUsage: "FILE",
		Description: "The daemon must be stopped and the data folder empty. What runs where is unknown until each node was asked or fenced.",
		Action: func(c *urfave.Context) error {
			path, err := argument(c, "the FILE of a backup")
			if err != nil {
				return err
			}
			node, err := nodeSettings(c)
			if err != nil {
				return err
			}
			if err := daemon.RestoreFrom(node, path, operator()); err != nil {
				return err
			}
			fmt.Printf("Node %s begins the restored cluster when its daemon starts. On each other node of the backup: stop clusterd, delete the folder raft in its data folder, start clusterd.\n", node.Name)
			return nil
		},
	}
}

func recoverCommand() *urfave.Command {
	return &urfave.Command{
		Name: "recover", Usage: "go on without nodes that are lost for good, when the quorum is gone", ArgsUsage: "[DEAD-NODE...]",
		Description: "Its daemon must be stopped. Without names it only tells how far this node's log goes: compare the survivors, and choose the one with the highest term, and among equals the highest index. With names it goes on there without the dead. Each is named and its name is typed again: make sure that its machine is OFF, because its VMs are started elsewhere.",
		Action: func(c *urfave.Context) error {
			node, err := nodeSettings(c)
			if err != nil {
				return err
			}
			if c.NArg() == 0 {
				return tellPosition(node)
			}
			if err := confirmDead(node, c.Args().Slice()); err != nil {
				return err
			}
			survivors, err := daemon.RecoverLog(node, c.Args().Slice(), operator())
			if err != nil {
				return err
			}
			fmt.Printf("The log on %s is usable again with: %s. Start clusterd here first, then on the others.\n", node.Name, strings.Join(survivors, ", "))
			return nil
		},
	}
}

func position(node config.Node) (quorum.LogPosition, error) {
	found, err := quorum.Inspect(daemon.Folder(node.DataDir).LogDir())
	if err != nil {
		return found, fmt.Errorf("look into the log of %s: %w", node.Name, err)
	}
	return found, nil
}

// tellPosition changes nothing: it is for choosing the node to recover on.
func tellPosition(node config.Node) error {
	found, err := position(node)
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
	fmt.Printf("The log on %s ends with term %d, index %d. Its members: %s.\n", node.Name, found.LastTerm, found.LastIndex, strings.Join(members, ", "))
	fmt.Println("Nothing was changed. Recover on the survivor with the highest term, among equals with the highest index: clusterd recover DEAD-NODE...")
	return nil
}

// confirmDead refuses what cannot be before anybody has to type.
func confirmDead(node config.Node, dead []string) error {
	found, err := position(node)
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

// operator is who runs this tool, for the timeline.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}

func clientCommand() *urfave.Command {
	return &urfave.Command{
		Name: "client", Usage: "make a certificate for remote tools", ArgsUsage: "USER",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "role", Usage: "admin or viewer", Value: string(pki.RoleAdmin)},
			&urfave.StringFlag{Name: "out", Usage: "the `FOLDER` to write ca.pem, client.pem and client.key to; needed"},
		},
		Action: makeClient,
	}
}

func makeClient(c *urfave.Context) error {
	name, err := argument(c, "a USER")
	if err != nil {
		return err
	}
	if c.String("out") == "" {
		return usage("client needs a folder: clusterd client %s --out FOLDER", name)
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		return err
	}
	client, err := connect(c)
	if err != nil {
		return err
	}
	reply, err := client.ClientCertificate(c.Context, api.ClientRequest{User: name, Role: c.String("role"), Request: string(request)})
	if err != nil {
		return err
	}
	secret, err := key.PEM()
	if err != nil {
		return err
	}
	folder := c.String("out")
	for file, text := range map[string][]byte{"ca.pem": []byte(reply.Authority), "client.pem": []byte(reply.Certificate), "client.key": secret} {
		if err := pki.WriteSecret(filepath.Join(folder, file), text); err != nil {
			return err
		}
	}
	fmt.Printf("Wrote the %s certificate of %s to %s. Copy the folder to the user's ~/.config/clusterd.\n", c.String("role"), name, folder)
	return nil
}
