package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/nets"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// Effect says what becomes of a change of the document.
type Effect string

// The effects, in the order in which they are shown.
const (
	// EffectNow is a change in place: nothing is started or stopped for it.
	EffectNow Effect = "in place, at once"
	// EffectNextStart waits: what runs goes on as it was started.
	EffectNextStart Effect = "from the next start on"
	// EffectStart is a service, or a part of one that runs, that comes up by it.
	EffectStart Effect = "started"
	// EffectRestart is a part of a service that runs and cannot go on as it is; what
	// its agent can do about that only the node knows where it runs.
	EffectRestart Effect = "changed in place where its agent can, else stopped and started"
	// EffectEnd is what the document no longer has.
	EffectEnd Effect = "removed"
)

// Effects are all of them.
var Effects = []Effect{EffectNow, EffectNextStart, EffectStart, EffectRestart, EffectEnd}

// Change is one sentence of a plan with its effect.
type Change struct {
	Effect Effect
	Text   string
}

// changes are what is told of one thing, in order.
type changes []Change

func (c changes) and(effect Effect, format string, arguments ...any) changes {
	return append(c, Change{Effect: effect, Text: fmt.Sprintf(format, arguments...)})
}

// of says in each what it is about.
func (c changes) of(what string) changes {
	for i := range c {
		c[i].Text = what + ": " + c[i].Text
	}
	return c
}

// Plan tells in words what taking the new document in place of the old one changes, one sentence
// per thing, and what that means for what runs. It is empty when both mean the same, however
// they are written.
func Plan(old, new cluster.Document) []Change {
	var plan changes
	if old.Cluster != new.Cluster {
		plan = plan.and(EffectNow, "cluster: the name changes from %q to %q", old.Cluster, new.Cluster)
	}
	if profile(old.Timing) != profile(new.Timing) {
		plan = plan.and(EffectNow, "timing: the profile changes from %s to %s", profile(old.Timing), profile(new.Timing))
	}
	plan = note(plan, "start_at_once", old.StartAtOnce, new.StartAtOnce)
	plan = note(plan, "stop_grace", old.StopGrace, new.StopGrace)
	plan = append(plan, changedAllowance(nil, old.Allowance, new.Allowance)...)
	plan = append(plan, changedFencing(old.Fencing, new.Fencing).of("fencing")...)
	if was, is := twoNodeText(old), twoNodeText(new); was != is {
		plan = plan.and(EffectNow, "two_node changes from %q to %q", was, is)
	}
	plan = note(plan, "page", webText(old.Web), webText(new.Web))
	plan = append(plan, compare("node", old.Nodes, new.Nodes, changedNode,
		says[cluster.NodeSpec](EffectNow, "as a member it can be fenced as declared"),
		"it stays a member (clusterd node remove ends that), and can no longer be fenced")...)
	plan = append(plan, compare("device", old.Devices, new.Devices, changedDevice,
		says[fence.Device](EffectNow, ""), "")...)
	plan = append(plan, compare("domain", old.Domains, new.Domains, changedDomain,
		says[domain.Domain](EffectNow, ""), "")...)
	plan = append(plan, compare("service", old.Services, new.Services, changedService,
		func(_ string, spec resources.Spec) Change { return addedService(spec) },
		"it is no longer started; it is remembered until it is known to run nowhere")...)
	plan = append(plan, compare("network", old.Networks, new.Networks, changedNetwork,
		says[resources.Network](EffectNow, "it is made where a service that is attached to it runs"),
		"it is taken away where nothing is attached to it any longer")...)
	return append(plan, compare("alert", old.Alerts, new.Alerts, changedAlert,
		says[cluster.Alert](EffectNow, "it is told of what happens from now on"), "")...)
}

// changedNetwork tells what changes of a network.
func changedNetwork(old, new resources.Network) changes {
	return note(nil, "it", nets.Text(old), nets.Text(new))
}

// Diff is the texts of Plan.
func Diff(old, new cluster.Document) []string {
	var lines []string
	for _, change := range Plan(old, new) {
		lines = append(lines, change.Text)
	}
	return lines
}

// longestSummary is how many bytes a summary takes.
const longestSummary = 120

// Summary is a whole change in one line, for the history.
func Summary(lines []string) string {
	if len(lines) == 0 {
		return "written in another way"
	}
	first, _, _ := strings.Cut(lines[0], "; ")
	first, _, _ = strings.Cut(first, " (")
	if letters := []rune(first); len(letters) > longestSummary {
		first = string(letters[:longestSummary]) + "..."
	}
	if more := len(lines) - 1; more > 0 {
		first += fmt.Sprintf(" (and %d more)", more)
	}
	return first
}

func profile(timing string) string { return cmp.Or(timing, "normal") }

// compare tells what was added, removed and changed in one section.
func compare[T any](what string, old, new map[string]T, changed func(old, new T) changes,
	added func(name string, value T) Change, removed string,
) changes {
	var plan changes
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
			addition := added(name, after)
			addition.Text = sentence(what, name, "is added", addition.Text)
			plan = append(plan, addition)
		case !is:
			plan = plan.and(EffectEnd, "%s", sentence(what, name, "is removed", removed))
		default:
			plan = append(plan, changed(before, after).of(what+" "+name)...)
		}
	}
	return plan
}

func sentence(what, name, change, meaning string) string {
	text := what + " " + name + ": " + change
	if meaning != "" {
		text += "; " + meaning
	}
	return text
}

// says is the consequence of additions that all have the same.
func says[T any](effect Effect, text string) func(string, T) Change {
	return func(string, T) Change { return Change{Effect: effect, Text: text} }
}

// addedService is what the addition of a service leads to.
func addedService(spec resources.Spec) Change {
	if spec.Autostart {
		return Change{EffectStart, "it is started once every node has said that it does not run there"}
	}
	return Change{EffectNow, "it stays down until it is enabled (autostart is false)"}
}

func changedNode(old, new cluster.NodeSpec) changes {
	told := note(nil, "site", old.Site, new.Site)
	told = note(told, "fence levels", levelsText(old.Fence), levelsText(new.Fence))
	return changedAllowance(told, old.Allowance, new.Allowance)
}

// changedAllowance tells what changes of how full a node may become.
func changedAllowance(told changes, old, new cluster.Allowance) changes {
	was, is := reserveText(old), reserveText(new)
	if was == is && was != "" { // as they are told, both are the same
		was, is = fmt.Sprintf("%d MiB", *old.Reserve/resources.MiB), fmt.Sprintf("%d MiB", *new.Reserve/resources.MiB)
	}
	told = note(told, "reserve_memory", was, is)
	told = note(told, "memory_overcommit", ratioText(old.Memory), ratioText(new.Memory))
	return note(told, "cpu_overcommit", ratioText(old.CPUs), ratioText(new.CPUs))
}

// reserveText is the memory that is kept from services; "" where nothing is declared.
func reserveText(a cluster.Allowance) string {
	if a.Reserve == nil {
		return ""
	}
	return a.Reserve.String()
}

// ratioText is a factor that is kept in percent; "" for none.
func ratioText(percent int) string {
	if percent == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(percent)/100, 'f', -1, 64)
}

// allowanceText tells how full a node may become, as far as something is declared.
func allowanceText(a cluster.Allowance) string {
	var texts []string
	for _, part := range []struct{ text, says string }{
		{reserveText(a), "%s of memory kept from services"}, {ratioText(a.Memory), "memory promised %s times"},
		{ratioText(a.CPUs), "CPUs promised %s times"},
	} {
		if part.text != "" {
			texts = append(texts, fmt.Sprintf(part.says, part.text))
		}
	}
	return strings.Join(texts, ", ")
}

func levelsText(levels []fence.Level) string {
	texts := make([]string, 0, len(levels))
	for _, level := range levels {
		texts = append(texts, "["+strict.List(level.Devices)+"]")
	}
	return strings.Join(texts, " then ")
}

func changedDevice(old, new fence.Device) changes {
	var told changes
	told = note(told, "driver", old.Driver, new.Driver)
	told = note(told, "address", old.Address, new.Address)
	told = note(told, "username", old.Username, new.Username)
	told = note(told, "password_credential", old.Credential, new.Credential)
	if old.Password != new.Password {
		told = told.and(EffectNow, "the password changes")
	}
	told = note(told, "limits", limitsText(old.Limits), limitsText(new.Limits))
	return changedOptions(told, old, new)
}

func changedDomain(old, new domain.Domain) changes {
	var told changes
	told = note(told, "ordered", old.Ordered, new.Ordered)
	told = note(told, "restricted", old.Restricted, new.Restricted)
	told = note(told, "nofailback", old.NoFailback, new.NoFailback)
	if !slices.Equal(sortedMembers(old), sortedMembers(new)) {
		told = note(told, "members", membersText(old), membersText(new))
	}
	if len(told) > 0 {
		told[len(told)-1].Text += " (services move only where the domain's rules now ask for it)"
	}
	return told
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
func note[T comparable](told changes, name string, old, new T) changes {
	if old == new {
		return told
	}
	show := func(value T) string {
		text := fmt.Sprint(value)
		if text == "" {
			return "none"
		}
		return text
	}
	return told.and(EffectNow, "%s changes from %s to %s", name, show(old), show(new))
}
