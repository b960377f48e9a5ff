package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/nets"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// Print tells in words what a document means: what the cluster makes of it, defaults filled in.
// Passwords are masked.
func Print(document cluster.Document) string {
	var out strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&out, format+"\n", arguments...) }
	printCluster(line, document)
	for _, name := range slices.Sorted(maps.Keys(document.Nodes)) {
		line("%s", nodeText(name, document.Nodes[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(document.Devices)) {
		line("%s", deviceText(name, document.Devices[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(document.Domains)) {
		d := document.Domains[name]
		line("domain %s, ordered %t, restricted %t, nofailback %t: %s", name, d.Ordered, d.Restricted, d.NoFailback,
			membersText(d))
	}
	for _, name := range slices.Sorted(maps.Keys(document.Networks)) {
		line("network %s, %s", name, nets.Text(document.Networks[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(document.Services)) {
		printService(line, document, name)
	}
	for _, name := range slices.Sorted(maps.Keys(document.Alerts)) {
		line("%s", alertText(document.Alerts[name]))
	}
	return out.String()
}

// printCluster tells what is of the cluster as a whole.
func printCluster(line func(string, ...any), document cluster.Document) {
	line("cluster %s, timing %s", document.Cluster, profile(document.Timing))
	if document.StartAtOnce > 0 {
		line("at most %d services are starting at once", document.StartAtOnce)
	}
	if document.StopGrace > 0 {
		line("a daemon that is stopped on purpose has %s to come back", document.StopGrace)
	}
	if text := allowanceText(document.Allowance); text != "" {
		line("of each node: %s", text)
	}
	line("%s", fencingText(document.Fencing))
	if document.TwoNode != nil {
		line("two nodes: one may go on without the other, %s", twoNodeText(document))
	}
	if document.Web != nil {
		line("page: %s", webText(document.Web))
	}
}

// webText tells how the page is served.
func webText(web *cluster.Web) string {
	switch {
	case web == nil:
		return "none"
	case web.Certificate == "":
		return "served on " + web.Listen + " with a certificate of the cluster's authority"
	}
	return "served on " + web.Listen + " with certificate " + web.Certificate + " and key " + web.Key
}

func nodeText(name string, node cluster.NodeSpec) string {
	text := "node " + name
	if node.Site != "" {
		text += ", site " + node.Site
	}
	if allowed := allowanceText(node.Allowance); allowed != "" {
		text += ", " + allowed
	}
	if len(node.Fence) == 0 {
		return text + ", without a fence device: its services cannot be recovered when it is lost"
	}
	return text + ", fenced by " + levelsText(node.Fence)
}

func deviceText(name string, d fence.Device) string {
	text := fmt.Sprintf("device %s, %s", name, d.Driver)
	if d.Address != "" {
		text += " at " + d.Address
	}
	if d.Username != "" {
		text += ", user " + d.Username
	}
	if d.Credential != "" {
		text += ", password from credential " + d.Credential
	}
	if d.Password != "" {
		text += ", password " + rewrite.Mask
	}
	if len(d.Options) > 0 {
		text += ", " + optionsText(d.Options, d.Schema().Hides)
	}
	if limits := limitsText(d.Limits); limits != "" {
		text += ", " + limits
	}
	return text
}

func printService(line func(string, ...any), document cluster.Document, name string) {
	s := document.Services[name].WithDefaults()
	text := fmt.Sprintf("service %s, UUID %s, definition %s", name, s.UUID, short(s.Definition))
	if s.Domain != "" {
		text += ", domain " + s.Domain
	}
	line("%s", text)
	line("  autostart %t, recovery %s, max_restarts %d within %s", s.Autostart, s.Recovery, s.MaxRestarts, s.RestartExpire)
	if memory := memoryText(s.Demand); memory != "" {
		line("  takes %s and %d virtual CPUs of its node", memory, s.Demand.CPUs)
	}
	if len(s.Networks) > 0 {
		line("  networks %s", strict.List(s.Networks))
	}
	if s.Kind() == resources.KindService {
		printTree(line, s)
		return
	}
	line("  start %s, stop %s, destroy %s, migrate %s", s.StartTimeout, s.StopTimeout, s.DestroyTimeout, s.MigrateTimeout)
	if how := s.Migration.String(); how != "" {
		line("  moves live with %s", how)
	}
	if disks := disksText(s.Disks); disks != "" {
		line("  disks %s", disks)
	}
	if s.StorageOnly {
		line("  storage only: it starts elsewhere once its host is cut off from its disks, also if that host " +
			"may be running on")
	}
	if s.Probe != "" {
		line("  probe %s", s.Probe)
	}
	if rules := rulesText(s.Rules); rules != "" {
		line("  %s", rules)
	}
}
