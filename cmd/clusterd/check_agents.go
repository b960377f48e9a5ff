package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/fence"
	fenceagent "github.com/clusterd/clusterd/fence/agent"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// checkFenceAgents holds the fence agents of a document against what they say of
// themselves on this machine. What surely holds for the cluster is an error; the
// rest is told on standard error.
func checkFenceAgents(c *urfave.Context, path string, text []byte, parsed config.Parsed) error {
	if !slices.ContainsFunc(slices.Collect(maps.Values(parsed.Document.Devices)), isAgent) {
		return nil
	}
	places, err := config.PlacesOfDevices(path, text, os.ReadFile)
	if err != nil {
		return err
	}
	self := ""
	if node, err := command.NodeSettings(c); err == nil {
		self = node.Name
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	held := agentCheck{document: parsed.Document, places: places, self: self,
		driver: fenceagent.New(fenceagent.Options{Logger: quiet})}
	// Applying goes on where something is only missing here: it can be installed
	// afterwards, and until then the readiness of the device says so.
	faults, warnings := held.run(c.Command.Name == "check")
	for _, warning := range warnings {
		fmt.Fprintln(cli.CleanWriter(os.Stderr), warning.Error())
	}
	if len(faults) > 0 {
		return &strict.Faults{List: faults}
	}
	return nil
}

func isAgent(d fence.Device) bool { return d.Driver == fenceagent.Kind }

// agentCheck is a document and a machine that may be one of its nodes.
type agentCheck struct {
	document cluster.Document
	places   config.DevicePlaces
	// self is the node's name that this machine's own settings give it.
	self   string
	driver fence.Driver
}

// run asks each agent for its metadata and holds the declaration against it.
// harsh makes faults of what is wrong with this machine alone.
func (k agentCheck) run(harsh bool) (faults, warnings []strict.Fault) {
	for _, name := range slices.Sorted(maps.Keys(k.document.Devices)) {
		device := k.document.Devices[name]
		if !isAgent(device) {
			continue
		}
		err := k.driver.Validate(device)
		if err == nil {
			continue
		}
		var at fence.OptionFault
		errors.As(err, &at)
		remark := k.remark(device)
		if remark == "" && (harsh || !at.Here) {
			faults = append(faults, k.places.Of(device, at.Option, err.Error()))
		} else {
			warnings = append(warnings, k.places.Of(device, at.Option, "warning: "+err.Error()+remark))
		}
	}
	inOrder := func(a, b strict.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	}
	slices.SortStableFunc(faults, inOrder)
	slices.SortStableFunc(warnings, inOrder)
	return faults, warnings
}

// remark says why a fault found here may not be one of the cluster; "" where it is.
func (k agentCheck) remark(device fence.Device) string {
	_, member := k.document.Nodes[k.self]
	owners := ownersOf(k.document, device.Name)
	switch {
	case k.self == "" || !member:
		return " (this machine is no node of the document, so it may be otherwise on one)"
	case len(owners) == 1 && owners[0] == k.self && len(k.document.Nodes) > 1:
		return " (" + k.self + " never uses its own device; look on the other nodes)"
	}
	return ""
}

// ownersOf are the nodes whose levels name a device.
func ownersOf(d cluster.Document, device string) []string {
	var owners []string
	for _, node := range slices.Sorted(maps.Keys(d.Nodes)) {
		for _, level := range d.Nodes[node].Fence {
			if slices.Contains(level.Devices, device) && !slices.Contains(owners, node) {
				owners = append(owners, node)
			}
		}
	}
	return owners
}

// operandName is the document's name in messages.
func operandName(c *urfave.Context) string {
	if name := c.Args().First(); name != "-" {
		return name
	}
	return "standard input"
}

// maskedSecrets counts the secrets that a file leaves to the document in force: only a
// member knows what that has.
func maskedSecrets(d cluster.Document) int {
	masked := 0
	d.EachSecret(func(_ message.Text, secret string) {
		if secret == rewrite.Mask {
			masked++
		}
	})
	return masked
}

// checkedWithin bounds how long a check asks the cluster: it is complete without an answer.
const checkedWithin = 3 * time.Second

// member is what a check asks of the cluster that this host belongs to.
type member interface {
	Status(ctx context.Context, fresh bool) (api.Status, error)
	Config(ctx context.Context) (api.Document, error)
	ChangeConfig(ctx context.Context, change api.ConfigChange) (api.ConfigReply, error)
}

// againstForce holds a document against the one in force, where this host belongs to a cluster:
// only a member knows whether a masked secret is kept, and what would be removed. What it says
// is for people; the error has the faults that apply would find.
func againstForce(c *urfave.Context, name string, parsed config.Parsed) (string, error) {
	client, err := command.Connect(c)
	if err != nil {
		return "", nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context, checkedWithin)
	defer cancel()
	return heldAgainst(ctx, client, name, parsed)
}

func heldAgainst(ctx context.Context, cluster member, name string, parsed config.Parsed) (string, error) {
	status, err := cluster.Status(ctx, false)
	if err != nil {
		return "", nil // Not on a member, or its daemon is down.
	}
	if of := parsed.Document.Cluster; of != status.Cluster {
		return fmt.Sprintf("This host belongs to cluster %q, and the document is one of %q: "+
			"it cannot be put into force here.\n", status.Cluster, of), nil
	}
	document, err := cluster.Config(ctx)
	if err != nil {
		return "", nil
	}
	reply, err := cluster.ChangeConfig(ctx, api.ConfigChange{Base: document.Version, Text: parsed.Text, DryRun: true})
	if faults := faultsOf(err, name); faults != nil {
		return "", faults
	}
	if err != nil {
		return "", nil // No quorum, or not allowed: the document was checked all the same.
	}
	text := fmt.Sprintf("Held against version %d, which is in force: %s", document.Version,
		count(len(reply.Plan), "change", "changes"))
	if gone := removals(reply.Plan); len(gone) > 0 {
		text += ", of which " + count(len(gone), "removes", "remove") + " something (" + atMost(gone, mostNamed) + ")"
	}
	text += ".\n"
	if reply.Refused != "" {
		text += "The cluster would refuse it now: " + reply.Refused + "\n"
	}
	return text, nil
}

// mostNamed bounds how many removals are named in one line.
const mostNamed = 6

func atMost(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// removals are what a plan takes away: "node node1", "service vm:web".
func removals(plan []api.ConfigEffect) []string {
	var gone []string
	for _, change := range plan {
		if change.Effect == string(config.EffectEnd) {
			what, _, _ := strings.Cut(change.Text, ": ")
			gone = append(gone, what)
		}
	}
	return gone
}

// fileFaults are faults that a member found in a file of ours.
type fileFaults struct{ lines []string }

func (f *fileFaults) Error() string { return strings.Join(f.lines, "\n") }

// placed is a fault of a document as a member tells it, which does not know the file's name.
var placed = regexp.MustCompile(`^document:(\d+:\d+: )`)

// faultsOf turns a member's faults of a document into those of the file that it was read from; nil
// if it is another error. Lines that config show has put in front were taken off before the member
// read it, so only the name is put in.
func faultsOf(err error, name string) error {
	var failure api.Failure
	if !errors.As(err, &failure) || failure.Code != "invalid_document" || len(failure.Details) == 0 {
		return nil
	}
	faults := &fileFaults{}
	for _, line := range failure.Details {
		faults.lines = append(faults.lines, placed.ReplaceAllString(line, name+":$1"))
	}
	return faults
}

// inFile is the error of a change, its faults told of the file.
func inFile(err error, name string) error {
	if faults := faultsOf(err, name); faults != nil {
		return faults
	}
	return err
}

// checkAgents holds resources against the agents that are installed here.
func checkAgents(c *urfave.Context, path string, text []byte) error {
	folders := dialect.Folders{}
	if node, err := command.NodeSettings(c); err == nil {
		folders.OCF = node.OCFRoot
	}
	catalogue := &dialect.Catalogue{Folders: folders.WithDefaults()}
	return config.CheckAgents(path, text, os.ReadFile, func(kind string) (resources.AgentInfo, error) {
		agent, err := catalogue.Find(c.Context, kind)
		if name, _, _ := resources.AgentName(kind); err == nil && name != "ocf" && name != "rgmanager" {
			err = errors.New("has no parameters that anybody could know")
		}
		return agent.Meta, err
	})
}
