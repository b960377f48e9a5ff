package stage

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/test/lab"
)

// Service is one VM of a cluster on the stage.
type Service struct {
	Guest lab.Guest
	// Domain is its failover domain; empty for none.
	Domain string
	// Settings are further lines of its declaration.
	Settings []string
}

// Name is the service's name in the cluster.
func (s Service) Name() string { return "vm:" + s.Guest.Name }

// Plan is what a cluster on the stage shall be.
type Plan struct {
	Cluster string
	// Domains are lines of the document's section of that name.
	Domains  []string
	Services []Service
	// Trees are lines of the document's section services: services made of resources.
	Trees []string
	// Top are further lines at the top of the document.
	Top []string
	// Levels are the fence levels of a node, in the document's words, where they are
	// others than its BMC; Devices are lines of further devices.
	Levels  map[string]string
	Devices []string
	// Probes has the daemons tell when a guest first answers.
	Probes bool
}

// documentText writes the cluster document for a plan. The BMCs' password lies in a file beside it.
func documentText(w World, plan Plan, passwordFile string) string {
	var text strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&text, format+"\n", values...) }
	line("cluster: %s", plan.Cluster)
	for _, top := range plan.Top {
		line("%s", top)
	}
	line("nodes:")
	for _, node := range w.Nodes() {
		levels := plan.Levels[node]
		if levels == "" {
			levels = "[[bmc-" + node + "]]"
		}
		line("  %s: {fence: %s}", node, levels)
	}
	line("devices:")
	for _, node := range w.Nodes() {
		device := w.Device(node)
		line("  bmc-%s: {driver: ipmi, address: %q, username: %s, password_file: %s, options: {cipher: %q}}", node,
			device.Address, device.Username, passwordFile, device.Cipher)
	}
	for _, device := range plan.Devices {
		line("  %s", device)
	}
	if len(plan.Domains) > 0 {
		line("domains:")
		for _, domain := range plan.Domains {
			line("  %s", domain)
		}
	}
	line("services:")
	for _, service := range plan.Services {
		line("  %s:", service.Name())
		if service.Domain != "" {
			line("    domain: %s", service.Domain)
		}
		if plan.Probes {
			line("    probe: udp:%s:7", service.Guest.Address())
		}
		for _, setting := range service.Settings {
			line("    %s", setting)
		}
		line("    definition: |")
		for xmlLine := range strings.SplitSeq(strings.TrimRight(lab.GuestXML(service.Guest), "\n"), "\n") {
			line("      %s", xmlLine)
		}
	}
	for _, tree := range plan.Trees {
		line("  %s", tree)
	}
	return text.String()
}
