package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	fenceagent "github.com/clusterd/clusterd/fence/agent"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
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
	if node, err := nodeSettings(c); err == nil {
		self = node.Name
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	held := agentCheck{document: parsed.Document, places: places, self: self, driver: fenceagent.New(fenceagent.Options{Logger: quiet})}
	// Applying goes on where something is only missing here: it can be installed
	// afterwards, and until then the readiness of the device says so.
	faults, warnings := held.run(c.Command.Name == "check")
	for _, warning := range warnings {
		fmt.Fprintln(cli.CleanWriter(os.Stderr), warning.Error())
	}
	if len(faults) > 0 {
		return &config.Faults{List: faults}
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
// strict makes faults of what is wrong with this machine alone.
func (k agentCheck) run(strict bool) (faults, warnings []config.Fault) {
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
		if remark == "" && (strict || !at.Here) {
			faults = append(faults, k.places.Of(device, at.Option, err.Error()))
		} else {
			warnings = append(warnings, k.places.Of(device, at.Option, "warning: "+err.Error()+remark))
		}
	}
	inOrder := func(a, b config.Fault) int {
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
