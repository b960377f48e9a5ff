package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// View says what of a status is shown.
type View struct {
	// Node or Service shows one row of one table; empty shows everything.
	Node, Service string
	// Long shows services in rgmanager's long form.
	Long  bool
	Width int
	// Terminal lets the tables fit what they show. NotesFirst puts what waits above them, for a
	// screen that cuts the end.
	Terminal, NotesFirst bool
	// Classic is rgmanager's form also on a terminal: fixed columns, no colour.
	Classic bool
	// Colour shows trouble in colour.
	Colour bool
	// Remark is a line about the answer itself, such as its being out of date.
	Remark string
}

// daemonFlag is what a member that runs the daemon is marked with. It is rgmanager's name for
// itself, because scripts look for "Online, Local, rgmanager".
const daemonFlag = "rgmanager"

// Status writes the cluster's state as clustat shows it. Times are shown in the zone they carry.
func Status(status api.Status, view View) string {
	var out strings.Builder
	whole := view.Node == "" && view.Service == ""
	if whole {
		out.WriteString(header(status, view))
	}
	if whole && view.NotesFirst {
		if notes := strings.TrimPrefix(noteSection(status, view), "\n"); notes != "" {
			out.WriteString(notes + "\n")
		}
	}
	if view.Service == "" {
		out.WriteString(memberTable(status, view))
	}
	if view.Service == "" && view.Long {
		out.WriteString(capacityTable(status, view))
	}
	if whole {
		out.WriteString("\n")
	}
	if view.Node == "" {
		if view.Long {
			out.WriteString(longServices(status, view))
		} else {
			out.WriteString(serviceTable(status, view))
		}
	}
	switch {
	case whole && !view.NotesFirst:
		out.WriteString(noteSection(status, view))
	case !whole && view.Terminal:
		out.WriteString(noteSection(about(status, view), view))
	}
	return out.String()
}

func header(status api.Status, view View) string {
	quorate := "Quorate"
	if !status.Quorate {
		quorate = "Inquorate"
	}
	text := fmt.Sprintf("Cluster Status for %s @ %s\n", clean(status.Cluster), clockText(status.At))
	text += view.painted(alarmUnless(status.Quorate), "Member Status: "+quorate+"\n")
	if status.Lock != nil && status.Lock.Locked {
		text += Wrap("Resource groups locked "+LockText(*status.Lock), "", "", view.Width)
	}
	if status.Simulated {
		text += "SIMULATED: no real hypervisor and no real BMC is behind this cluster.\n"
	}
	if !status.Quorate {
		text += view.painted(alarm,
			Wrap("Services are shown as "+status.Local+" last knew them; without a quorum that may be out of date. "+
				"What runs goes on; nothing is started, moved or fenced before a majority of the voters is in touch. Bring "+
				"voters back. "+
				"Only if they are destroyed and powered off for good: `clusterd recover`.", "", "", view.Width))
	}
	if status.Disarmed != "" {
		text += view.painted(caution, Wrap(clean(strings.TrimPrefix(status.Disarmed, "fencing is disarmed ")+
			"; nothing is fenced. `clusterd fence arm` ends that."), "FENCING IS DISARMED ", "  ", view.Width))
	}
	if view.Remark != "" {
		text += Wrap(clean(view.Remark), "", "", view.Width)
	}
	return text + "\n"
}

func memberTable(status api.Status, view View) string {
	width := view.widths(status).member
	var out strings.Builder
	row := func(name, id, flags string) {
		heading := fmt.Sprintf(" %s%-4.4s %s", fit(name, width), id, flags)
		if view.Terminal {
			heading = fmt.Sprintf(" %s %4s %s", fit(name, width), id, flags)
		}
		out.WriteString(strings.TrimRight(heading, " ") + "\n")
	}
	row("Member Name", "ID", "Status")
	row("------ ----", "----", "------")
	for _, node := range status.Nodes {
		if view.Node == "" || node.Name == view.Node {
			line := fmt.Sprintf(" %s %4d %s\n", cut(clean(node.Name), width), node.ID, memberFlags(node, view, width+7))
			out.WriteString(view.painted(memberColour(node), line))
		}
	}
	return out.String()
}

// memberFlags are rgmanager's words in rgmanager's order, then our own. Where the row has no room
// for what was ordered and "unprotected", a terminal shows them below, a pipe has no edge, and
// rgmanager's form leaves them to the notes.
func memberFlags(node api.Node, view View, begin int) string {
	flags := []string{"Offline"}
	if node.Online {
		flags[0] = "Online"
	}
	add := func(wanted bool, flag string) {
		if wanted {
			flags = append(flags, flag)
		}
	}
	add(node.Local, "Local")
	add(node.Estranged, "Estranged")
	add(runsDaemon(node), daemonFlag)
	add(node.Leader, "Leader")
	add(node.Witness, "Witness")
	add(node.State != "" && node.State != "online", clean(node.State))
	add(!node.Hung.IsZero(), "hypervisor hung")
	text := strings.Join(flags, ", ")
	used := len(text)
	for _, flag := range []string{orderFlag(node.Order), unprotectedFlag(node)} {
		switch fits := used+len(", ")+len(flag) < view.Width-begin; {
		case flag == "" || !fits && view.Classic:
			continue
		case !fits && view.Terminal:
			text, used = text+",\n"+strings.Repeat(" ", begin), 0
		default:
			text, used = text+", ", used+len(", ")
		}
		text, used = text+flag, used+len(flag)
	}
	return text
}

func unprotectedFlag(node api.Node) string {
	if node.Unprotected == "" {
		return ""
	}
	return "unprotected"
}

// orderFlag is the standing order about a node, and whether it is carried out.
func orderFlag(order *api.NodeOrder) string {
	switch {
	case order == nil:
		return ""
	case order.Empty || len(order.Holds) == 0:
		return clean(order.Order)
	}
	return fmt.Sprintf("%s (%d left)", clean(order.Order), len(order.Holds))
}

func runsDaemon(node api.Node) bool {
	return node.Online && node.State != "silent" && node.State != "deaf"
}

func serviceTable(status api.Status, view View) string {
	wide := view.widths(status)
	var out strings.Builder
	row := func(colour, name, owner, state string) {
		text := fmt.Sprintf(" %s %s %s", cut(name, wide.service), fit(owner, wide.owner), state)
		out.WriteString(view.painted(colour, strings.TrimRight(text, " ")+"\n"))
	}
	row("", "Service Name", "Owner (Last)", "State")
	row("", "------- ----", "----- ------", "-----")
	for _, service := range status.Services {
		if view.Service != "" && service.Name != view.Service {
			continue
		}
		state := clean(service.StateText)
		if service.FlagsText != "" {
			state = fmt.Sprintf("%-10s [%s]", state, clean(service.FlagsText))
		}
		if said := remarks(status, service); said != "" {
			state = fmt.Sprintf("%-10s (%s)", state, clean(said))
		}
		row(serviceColour(status, service), clean(service.Name), ownerCell(service, wide.owner), state)
	}
	return out.String()
}

// ownerCell is the owner, or the last one in parentheses where nothing runs.
func ownerCell(service api.Service, width int) string {
	owner := service.Owner
	down := owner == ""
	switch resources.State(service.State) {
	case resources.Stopped, resources.Disabled, resources.Recoverable, resources.Failed, resources.Uninitialized:
		down = true
	}
	if !down {
		return clean(owner)
	}
	last := firstOf(service.LastOwner, owner, "none")
	if letters := []rune(last); len(letters) > width-2 {
		last = string(letters[:max(width-2, 0)])
	}
	return "(" + clean(last) + ")"
}

func firstOf(words ...string) string {
	for _, word := range words {
		if word != "" {
			return word
		}
	}
	return ""
}

// noteSection says what was not done and what it waits for, what is not protected, and this
// node's own troubles.
func noteSection(status api.Status, view View) string {
	var lines strings.Builder
	line := func(subject, text, next string) {
		text = subject + ": " + withNext(text, next)
		lines.WriteString(view.painted(caution, Wrap(clean(text), " ", "   ", view.Width)))
	}
	for _, notes := range grouped(status) {
		line(notes.subject(), notes.why, notes.next)
	}
	for _, node := range status.Nodes {
		if node.Unprotected != "" && !toldOf(status, node) {
			line(node.Name, "unprotected: "+node.Unprotected, "")
		}
	}
	for _, warning := range status.Warnings {
		line(status.Local, warning, "")
	}
	if lines.Len() == 0 {
		return ""
	}
	return "\n Notes\n -----\n" + lines.String()
}

// longServices is rgmanager's long form, with what clusterd knows beyond it at the end of each
// block.
func longServices(status api.Status, view View) string {
	var out strings.Builder
	out.WriteString("Service Information\n------- -----------\n")
	line := func(name, value string) {
		if value != "" {
			out.WriteString(Wrap(clean(value), fmt.Sprintf("  %-16s: ", name), strings.Repeat(" ", 20), view.Width))
		}
	}
	for _, service := range status.Services {
		if view.Service != "" && service.Name != view.Service {
			continue
		}
		fmt.Fprintf(&out, "\nService Name      : %s\n", clean(service.Name))
		line("Current State", fmt.Sprintf("%s (%d)", service.StateText, service.State))
		line("Flags", fmt.Sprintf("%s (%d)", flagNames(service.Flags), service.Flags))
		line("Owner", firstOf(service.Owner, "none"))
		line("Last Owner", firstOf(service.LastOwner, "none"))
		line("Last Transition", clockText(service.Since))
		line("Holders", firstOf(strings.Join(service.Holders, ", "), "none"))
		line("Restarts", fmt.Sprint(service.Restarts))
		line("Reason", service.Reason.String())
		line("Declared Anew", service.Behind.String())
		line("Frozen", freezeText(service.Freeze))
		for _, failed := range service.Failures {
			line("Start Failed", failedText(failed))
		}
		line("Unprotected", service.Unprotected)
		line("Next", nextText(service.Next))
		if service.Progress != nil {
			line("Progress", ProgressText(*service.Progress))
		}
	}
	return out.String()
}

// nextText tells where a service would go next, and whether it could now.
func nextText(next *api.Next) string {
	switch {
	case next == nil:
		return ""
	case next.Node == "" && next.Why.IsZero():
		return "none"
	case next.Node == "":
		return "none; " + next.Why.String()
	case next.Why.IsZero():
		return next.Node + ", ready"
	}
	return next.Node + ", not now: " + next.Why.String()
}

// LockText tells who locked the cluster, when, and why.
func LockText(lock api.LockStatus) string {
	meaning := "no service may start"
	if lock.Stopped {
		meaning = "the whole cluster was stopped"
	}
	return strings.TrimSpace(byWhom(lock.By, lock.At, lock.Reason) + ": " + meaning)
}

// byWhom tells who did something, when, and why, as far as that is known.
func byWhom(by string, at time.Time, reason string) string {
	text := ""
	if by != "" {
		text += " by " + by
	}
	if !at.IsZero() {
		text += " since " + clockText(at)
	}
	if reason != "" {
		text += " (" + reason + ")"
	}
	return clean(text)
}

// freezeText tells of a freeze, and when it ends.
func freezeText(freeze *api.FreezeStatus) string {
	if freeze == nil {
		return ""
	}
	end := "until it is unfrozen,"
	if !freeze.Until.IsZero() {
		end = "until " + clockText(freeze.Until) + ","
	}
	return strings.TrimSuffix(end+byWhom(freeze.By, freeze.At, freeze.Reason), ",")
}

func failedText(failed api.Failed) string {
	text := failed.Node
	if !failed.At.IsZero() {
		text += ", " + clockText(failed.At)
	}
	return text + ": " + failed.Why.String()
}

// clockText is C's ctime, which scripts know; a service that never changed has no time.
func clockText(instant time.Time) string {
	if instant.IsZero() {
		return "never"
	}
	return instant.Format("Mon Jan _2 15:04:05 2006")
}

// timeLeft is an estimate, so it is told in whole seconds.
func timeLeft(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	}
	return Span(d)
}

func flagNames(flags int) string {
	var names []string
	if resources.Flags(flags)&resources.Frozen != 0 {
		names = append(names, "frozen")
	}
	if resources.Flags(flags)&resources.Partial != 0 {
		names = append(names, "partial")
	}
	return firstOf(strings.Join(names, ", "), "none")
}

// ProgressText tells how far a live migration is.
func ProgressText(p api.Progress) string {
	text := firstOf(p.Phase, "migrating")
	if p.BytesTotal > 0 {
		done := p.BytesTotal - min(p.BytesRemaining, p.BytesTotal)
		text += fmt.Sprintf(" %d%%, %s of %s", done*100/p.BytesTotal, Bytes(done), Bytes(p.BytesTotal))
	}
	if p.BytesPerSecond > 0 {
		text += ", " + Bytes(p.BytesPerSecond) + "/s"
	}
	if p.TimeLeft > 0 {
		text += ", " + timeLeft(p.TimeLeft) + " left"
	}
	return text
}
