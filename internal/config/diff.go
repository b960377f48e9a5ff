package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Diff tells in words what taking the new document in place of the old one changes, one sentence
// per thing, and what that means for what runs. It is empty when both mean the same, however
// they are written.
func Diff(old, new cluster.Document) []string {
	var lines []string
	say := func(format string, arguments ...any) { lines = append(lines, fmt.Sprintf(format, arguments...)) }
	if old.Cluster != new.Cluster {
		say("cluster: the name changes from %q to %q", old.Cluster, new.Cluster)
	}
	if profile(old.Timing) != profile(new.Timing) {
		say("timing: the profile changes from %s to %s", profile(old.Timing), profile(new.Timing))
	}
	for _, change := range note(nil, "start_at_once", old.StartAtOnce, new.StartAtOnce) {
		say("%s", change)
	}
	for _, change := range note(nil, "stop_grace", old.StopGrace, new.StopGrace) {
		say("%s", change)
	}
	for _, change := range changedFencing(old.Fencing, new.Fencing) {
		say("fencing: %s", change)
	}
	if was, is := twoNodeText(old), twoNodeText(new); was != is {
		say("two_node changes from %q to %q", was, is)
	}
	lines = append(lines, compare("node", old.Nodes, new.Nodes, changedNode, "as a member it can be fenced as declared",
		"it stays a member (clusterd node remove ends that), and can no longer be fenced")...)
	lines = append(lines, compare("device", old.Devices, new.Devices, changedDevice, "", "")...)
	lines = append(lines, compare("domain", old.Domains, new.Domains, changedDomain, "", "")...)
	lines = append(lines, compare("service", old.Services, new.Services, changedService, "",
		"it is no longer started; it is remembered until it is known to run nowhere")...)
	lines = append(lines, compare("alert", old.Alerts, new.Alerts, changedAlert,
		"it is told of what happens from now on", "")...)
	return lines
}

func profile(timing string) string { return cmp.Or(timing, "normal") }

// compare tells what was added, removed and changed in one section.
func compare[T any](what string, old, new map[string]T, changed func(old, new T) []string, added,
	removed string) []string {
	var lines []string
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, was := old[name]
		after, is := new[name]
		switch {
		case !was:
			lines = append(lines, sentence(what, name, isAdded, consequence(what, after, added)))
		case !is:
			lines = append(lines, sentence(what, name, isRemoved, removed))
		default:
			for _, change := range changed(before, after) {
				lines = append(lines, what+" "+name+": "+change)
			}
		}
	}
	return lines
}

func sentence(what, name, change, meaning string) string {
	text := what + " " + name + ": " + change
	if meaning != "" {
		text += "; " + meaning
	}
	return text
}

// consequence tells what an addition leads to, where that depends on the declaration.
func consequence(what string, value any, otherwise string) string {
	spec, isService := value.(resources.Spec)
	switch {
	case !isService || what != "service":
		return otherwise
	case spec.Autostart:
		return isStarted + " once every node has said that it does not run there"
	}
	return "it stays down until it is enabled (autostart is false)"
}

func changedNode(old, new cluster.NodeSpec) []string {
	var changes []string
	changes = note(changes, "site", old.Site, new.Site)
	return note(changes, "fence levels", levelsText(old.Fence), levelsText(new.Fence))
}

func levelsText(levels []fence.Level) string {
	texts := make([]string, 0, len(levels))
	for _, level := range levels {
		texts = append(texts, "["+list(level.Devices)+"]")
	}
	return strings.Join(texts, " then ")
}

func changedDevice(old, new fence.Device) []string {
	var changes []string
	changes = note(changes, "driver", old.Driver, new.Driver)
	changes = note(changes, "address", old.Address, new.Address)
	changes = note(changes, "username", old.Username, new.Username)
	changes = note(changes, "password_credential", old.Credential, new.Credential)
	if old.Password != new.Password {
		changes = append(changes, "the password changes")
	}
	changes = note(changes, "limits", limitsText(old.Limits), limitsText(new.Limits))
	return changedOptions(changes, old, new)
}

func changedDomain(old, new domain.Domain) []string {
	var changes []string
	changes = note(changes, "ordered", old.Ordered, new.Ordered)
	changes = note(changes, "restricted", old.Restricted, new.Restricted)
	changes = note(changes, "nofailback", old.NoFailback, new.NoFailback)
	if !slices.Equal(sortedMembers(old), sortedMembers(new)) {
		changes = note(changes, "members", membersText(old), membersText(new))
	}
	if len(changes) > 0 {
		changes[len(changes)-1] += " (services move only where the domain's rules now ask for it)"
	}
	return changes
}

func sortedMembers(d domain.Domain) []domain.Member {
	return slices.SortedFunc(slices.Values(d.Members),
		func(a, b domain.Member) int { return strings.Compare(a.Node, b.Node) })
}

func membersText(d domain.Domain) string {
	texts := make([]string, 0, len(d.Members))
	for _, member := range sortedMembers(d) {
		if member.Priority == 0 {
			texts = append(texts, member.Node)
			continue
		}
		texts = append(texts, fmt.Sprintf("%s=%d", member.Node, member.Priority))
	}
	return strings.Join(texts, " ")
}

func changedService(old, new resources.Spec) []string {
	old, new = old.WithDefaults(), new.WithDefaults()
	var changes []string
	if old.UUID != new.UUID {
		changes = append(changes,
			fmt.Sprintf("the UUID changes from %s to %s: this is another VM; the old one is remembered until it is known "+
				"to run nowhere", old.UUID, new.UUID))
	}
	if new.Kind() == resources.KindService {
		changes = append(changes, changedTree(old.Tree, new.Tree)...)
	} else if old.Definition != new.Definition {
		changes = append(changes, "the definition changes from "+short(old.Definition)+" to "+short(new.Definition)+
			"; a running VM is not restarted, the new definition "+fromNextStart)
	}
	changes = note(changes, "disks", disksText(old.Disks), disksText(new.Disks))
	changes = note(changes, "domain", old.Domain, new.Domain)
	changes = note(changes, "autostart", old.Autostart, new.Autostart)
	changes = note(changes, "recovery", old.Recovery, new.Recovery)
	changes = note(changes, "max_restarts", old.MaxRestarts, new.MaxRestarts)
	for _, budget := range []struct {
		name     string
		old, new time.Duration
	}{
		{"restart_expire_time", old.RestartExpire, new.RestartExpire},
		{"start_timeout", old.StartTimeout, new.StartTimeout},
		{"stop_timeout", old.StopTimeout, new.StopTimeout},
		{"destroy_timeout", old.DestroyTimeout, new.DestroyTimeout},
		{"migrate_timeout", old.MigrateTimeout, new.MigrateTimeout},
	} {
		changes = note(changes, budget.name, budget.old, budget.new)
	}
	changes = note(changes, "storage_only", old.StorageOnly, new.StorageOnly)
	changes = note(changes, "probe", old.Probe, new.Probe)
	return changedRules(changes, old.Rules, new.Rules)
}

func disksText(disks []resources.Disk) string {
	texts := make([]string, 0, len(disks))
	for _, disk := range disks {
		text := disk.Identity
		if disk.ReadOnly {
			text += " (read only)"
		}
		if disk.Shared {
			text += " (shared)"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// short is enough of a hash to tell definitions apart by eye.
func short(hash string) string { return hash[:min(len(hash), 12)] }

// note appends a change of one value.
func note[T comparable](changes []string, name string, old, new T) []string {
	if old == new {
		return changes
	}
	show := func(value T) string {
		text := fmt.Sprint(value)
		if text == "" {
			return "none"
		}
		return text
	}
	return append(changes, fmt.Sprintf("%s changes from %s to %s", name, show(old), show(new)))
}
