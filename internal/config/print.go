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

// shownArguments are those of an alert's program for others to see. A flag that sounds secret may
// have its value behind it.
func shownArguments(arguments []string) []string {
	shown := slices.Clone(arguments)
	for i, argument := range arguments {
		behind := i > 0 && fence.HoldsSecret(arguments[i-1]) && !strings.Contains(arguments[i-1], "=")
		if behind || fence.HoldsSecret(argument) {
			shown[i] = rewrite.Mask
		}
	}
	return shown
}

// changedAlert tells what differs, never a secret.
func changedAlert(old, new cluster.Alert) changes {
	var told changes
	told = note(told, "program", old.Program, new.Program)
	before, now := shownArguments(old.Arguments), shownArguments(new.Arguments)
	told = note(told, "arguments", strings.Join(before, " "), strings.Join(now, " "))
	if slices.Equal(before, now) && !slices.Equal(old.Arguments, new.Arguments) {
		told = told.and(EffectNow, "a secret among the arguments changes")
	}
	told = note(told, "url", old.URL, new.URL)
	if old.SecretURL != new.SecretURL {
		told = told.and(EffectNow, "the secret_url changes")
	}
	told = note(told, "secret_url_credential", old.SecretURLCredential, new.SecretURLCredential)
	if old.Authority != new.Authority {
		told = told.and(EffectNow, "the ca changes")
	}
	told = note(told, "header", old.Header, new.Header)
	if old.Secret != new.Secret {
		told = told.and(EffectNow, "the secret changes")
	}
	told = note(told, "secret_credential", old.SecretCredential, new.SecretCredential)
	told = note(told, "kinds", strict.List(old.Kinds), strict.List(new.Kinds))
	told = note(told, "subjects", strict.List(old.Subjects), strict.List(new.Subjects))
	told = note(told, "codes", strict.List(old.Codes), strict.List(new.Codes))
	told = note(told, "states", strict.List(old.States), strict.List(new.States))
	told = note(told, "node", old.Node, new.Node)
	old, new = old.WithDefaults(), new.WithDefaults()
	told = note(told, "timeout", old.Timeout, new.Timeout)
	return note(told, "attempts", old.Attempts, new.Attempts)
}

// alertText is an alert in words.
func alertText(a cluster.Alert) string {
	a = a.WithDefaults()
	text := "alert " + a.Name + ", "
	switch {
	case a.Program != "":
		text += "program " + strings.Join(append([]string{a.Program}, shownArguments(a.Arguments)...), " ")
	case a.URL != "":
		text += "posts to " + a.URL
	case a.SecretURLCredential != "":
		text += "posts to the address in credential " + a.SecretURLCredential
	default:
		text += "posts to " + rewrite.Mask
	}
	switch {
	case a.SecretCredential != "":
		text += ", header " + a.Header + " from credential " + a.SecretCredential
	case a.Header != "":
		text += ", header " + a.Header + " " + rewrite.Mask
	}
	for _, choice := range []struct {
		what  string
		words []string
	}{{"kinds", a.Kinds}, {"subjects", a.Subjects}, {"codes", a.Codes}, {"states", a.States}} {
		if len(choice.words) > 0 {
			text += ", " + choice.what + " " + strict.List(choice.words)
		}
	}
	who := "told by the leader"
	if a.Node != "" {
		who = "told by " + a.Node
	}
	return fmt.Sprintf("%s, %s, %d attempts of %s", text, who, a.Attempts, a.Timeout)
}
