package declare

import (
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/resources"
)

// Document is the one in force.
type Document struct {
	Text, Cluster string
	Version       uint64
}

// Edit makes another text of a document.
type Edit func(in Document) (string, error)

// Change puts what an edit makes of the document in force into force, after its plan was shown. It
// reports whether it did: a rehearsal does not.
type Change func(c *urfave.Context, edit Edit) (bool, error)

// SettingsUsage explains the operands KEY=VALUE.
const SettingsUsage = "A KEY names a place in the document, with a dot after each level; a VALUE is YAML. " +
	"`services.vm:web.domain=racks` puts vm:web into the domain racks, `nodes.node1.reserve_memory=\"4 GiB\"` keeps " +
	"memory free, and `services.vm:web.priority=` takes the key out, so that its default counts."

// planned is what every command here says of itself.
const planned = "It is planned, shown and asked about like a whole document."

// flags are those of every change.
func flags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline and the history"},
		&urfave.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "do not ask on a terminal"},
		&urfave.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "show what it would do, and do nothing"},
	}
}

// Settings is the edit of the operands KEY=VALUE below levels of the document. Without any operand
// it is wrong use.
func Settings(c *urfave.Context, operands []string, levels ...string) (Edit, error) {
	if len(operands) == 0 {
		return nil, command.Usage("%s needs KEY=VALUE, or several", c.Command.HelpName)
	}
	return func(in Document) (string, error) { return rewrite.SetBelow(in.Text, in.Cluster, levels, operands) }, nil
}

// done is a change of which nobody needs to know whether it was one.
func done(_ bool, err error) error { return err }

// Set is `config set`.
func Set(change Change) *urfave.Command {
	return &urfave.Command{Name: "set", Usage: "change single values of the document in force",
		ArgsUsage: "KEY=VALUE [KEY=VALUE...]", Flags: flags(), Description: SettingsUsage + " " + planned,
		Action: func(c *urfave.Context) error {
			edit, err := Settings(c, c.Args().Slice())
			if err != nil {
				return err
			}
			return done(change(c, edit))
		}}
}

// kind is a section of the document that has entries with names.
type kind struct {
	section, prefix, noun, example string
}

// The kinds.
var (
	vms      = kind{"services", resources.KindVM + ":", "VM", "vm set web domain=racks priority=7"}
	services = kind{"services", resources.KindService + ":", "service", "service set shop recovery=restart"}
	domains  = kind{"domains", "", "failover domain", "domain set racks ordered=true 'members={node1: 1, node2: 2}'"}
)

// named is the first operand as the document calls it.
func (k kind) named(c *urfave.Context) (string, error) {
	name := strings.TrimPrefix(c.Args().First(), k.prefix)
	if name == "" {
		return "", command.Usage("%s needs the NAME of a %s", c.Command.HelpName, k.noun)
	}
	return k.prefix + name, nil
}

// set changes keys of one entry, or declares it.
func (k kind) set(change Change) *urfave.Command {
	return &urfave.Command{Name: "set", Usage: "change keys of a " + k.noun,
		ArgsUsage: "NAME KEY=VALUE [KEY=VALUE...]", Flags: flags(),
		Description: "The keys are those of the document below the " + k.noun + ". What stands behind = is YAML; with " +
			"nothing behind it the key goes: clusterd " + k.example + ". " + planned,
		Action: func(c *urfave.Context) error {
			name, err := k.named(c)
			if err != nil {
				return err
			}
			edit, err := Settings(c, c.Args().Tail(), k.section, name)
			if err != nil {
				return err
			}
			return done(change(c, edit))
		}}
}

// remove takes one entry out.
func (k kind) remove(change Change, what string) *urfave.Command {
	return &urfave.Command{Name: "rm", Usage: "take a " + k.noun + " out of the document", ArgsUsage: "NAME",
		Flags: flags(), Description: what + " " + planned,
		Action: func(c *urfave.Context) error {
			name, err := k.named(c)
			if err != nil {
				return err
			}
			if c.NArg() > 1 {
				return command.Usage("%s takes one NAME", c.Command.HelpName)
			}
			return done(change(c, func(in Document) (string, error) {
				return rewrite.Remove(in.Text, in.Cluster, k.section, name)
			}))
		}}
}

// VM are the commands about VMs beside the import of one.
func VM(change Change) []*urfave.Command {
	return []*urfave.Command{
		{Name: "add", Usage: "declare a VM by its definition", ArgsUsage: "FILE",
			Description: "FILE is a libvirt domain XML with a <uuid>, as `virsh dumpxml` prints it, or - for standard input. " +
				"The VM is started when every node has said that it does not run there; with --disabled it waits until " +
				"`clusvcadm -e` enables it. A VM that libvirt runs already is taken in by `clusterd vm import`. " + planned,
			Flags: append(flags(), &urfave.StringFlag{Name: "domain", Usage: "its failover `DOMAIN`"},
				&urfave.BoolFlag{Name: "disabled", DisableDefaultText: true, Usage: "do not start it by itself"}),
			Action: func(c *urfave.Context) error {
				edit, err := Added(c, !c.Bool("disabled"))
				if err != nil {
					return err
				}
				return done(change(c, edit))
			}},
		vms.set(change),
		vms.remove(change, "It has to be disabled first; its disks are not touched."),
	}
}

// Added is the edit that declares the VM of the operand FILE.
func Added(c *urfave.Context, autostart bool) (Edit, error) {
	operand, err := command.Argument(c, "the FILE of a VM's definition")
	if err != nil {
		return nil, err
	}
	path, text, err := command.ReadOperand(operand)
	if err != nil {
		return nil, err
	}
	definition, faults := domainxml.Read(string(text))
	if len(faults) > 0 {
		return nil, fmt.Errorf("%s: the VM %s", path, faults[0].Message)
	}
	return func(in Document) (string, error) {
		return rewrite.AddService(in.Text, in.Cluster, resources.KindVM+":"+definition.Title, c.String("domain"),
			string(text), autostart)
	}, nil
}

// Service are the commands about services made of resources.
func Service(change Change) *urfave.Command {
	return &urfave.Command{Name: "service", Usage: "change services made of resources", Subcommands: []*urfave.Command{
		services.set(change),
		services.remove(change, "It has to be disabled first."),
	}}
}

// Domain are the commands about failover domains.
func Domain(change Change) *urfave.Command {
	return &urfave.Command{Name: "domain", Usage: "change failover domains", Subcommands: []*urfave.Command{
		domains.set(change),
		domains.remove(change, "No service may name it any longer."),
	}}
}
