package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// widths are those of the two tables. In a pipe they are rgmanager's, which come from the width
// alone; on a terminal they fit what is shown, so that a state has room for its reason.
type widths struct{ member, service, owner int }

func (v View) widths(status api.Status) widths {
	if !v.Terminal {
		return widths{member: v.Width / 2, service: (v.Width - 20) / 2, owner: (v.Width - 20) / 2}
	}
	c := widths{member: len("Member Name"), service: len("Service Name"), owner: len("Owner (Last)")}
	for _, node := range status.Nodes {
		c.member = max(c.member, len([]rune(node.Name)))
		c.owner = max(c.owner, len([]rune(node.Name))+2)
	}
	for _, service := range status.Services {
		c.service = max(c.service, len([]rune(service.Name)))
	}
	c.member, c.owner = min(c.member, v.Width/2), min(c.owner, v.Width/4)
	c.service = min(c.service, v.Width-c.owner-stateRoom)
	return c
}

// stateRoom is what names leave for the state of a service and its reason.
const stateRoom = 30

// cut is fit with a mark where something is missing, so that two long names are not taken for one.
func cut(text string, width int) string {
	if letters := []rune(text); len(letters) > width && width > 1 {
		return string(letters[:width-1]) + "~"
	}
	return fit(text, width)
}

// remarks are what has to be known of a service's state at a glance: that its node is not what
// it should be, that it is paused, where it moves.
func remarks(status api.Status, service api.Service) string {
	var said []string
	if node, found := FindNode(status, service.Owner); found && mayRun(service) {
		switch node.State {
		case "fencing":
			said = append(said, "may run: "+node.Name+" is being fenced")
		case "lost", "silent", "deaf":
			said = append(said, "may run: "+node.Name+" is "+node.State)
		}
	}
	if service.Paused != "" {
		said = append(said, "paused: "+service.Paused)
	}
	if service.Target != "" {
		move := "-> " + service.Target
		if p := service.Progress; p != nil && p.BytesTotal > 0 {
			move += fmt.Sprintf(" %d%%", (p.BytesTotal-min(p.BytesRemaining, p.BytesTotal))*100/p.BytesTotal)
		}
		said = append(said, move)
	}
	return strings.Join(said, ", ")
}

// mayRun reports whether a service in this state can be running at its owner.
func mayRun(service api.Service) bool {
	switch resources.State(service.State) {
	case resources.Stopped, resources.Disabled, resources.Failed, resources.Uninitialized:
		return false
	}
	return true
}

// sameNotes are notes that say one thing of several subjects.
type sameNotes struct {
	subjects  []string
	why, next string
}

// grouped puts notes with one text together, in the order of the first.
func grouped(status api.Status) []*sameNotes {
	var list []*sameNotes
	byText := map[string]*sameNotes{}
	for _, note := range status.Notes {
		key := note.Why.String() + "\x00" + note.Next.String()
		if byText[key] == nil {
			byText[key] = &sameNotes{why: note.Why.String(), next: note.Next.String()}
			list = append(list, byText[key])
		}
		byText[key].subjects = append(byText[key].subjects, note.Subject)
	}
	return list
}

// mostSubjects bounds the names in front of one text.
const mostSubjects = 8

func (n *sameNotes) subject() string {
	if len(n.subjects) > mostSubjects {
		return fmt.Sprintf("%s and %d more", strings.Join(n.subjects[:mostSubjects], ", "), len(n.subjects)-mostSubjects)
	}
	return strings.Join(n.subjects, ", ")
}

// toldOf reports whether a note says already why a node that is being fenced is not off.
func toldOf(status api.Status, node api.Node) bool {
	for _, note := range status.Notes {
		if note.Subject == node.Name && node.State == "fencing" {
			return true
		}
	}
	return false
}

// about leaves the notes of a status that are about what is shown of it.
func about(status api.Status, view View) api.Status {
	subject := firstOf(view.Service, view.Node)
	status.Notes = slices.DeleteFunc(slices.Clone(status.Notes), func(note cluster.Note) bool {
		return note.Subject != subject
	})
	status.Nodes = slices.DeleteFunc(slices.Clone(status.Nodes), func(node api.Node) bool {
		return node.Name != subject
	})
	status.Warnings = nil
	return status
}

// capacityTable lists how much memory each node has for services, and what is taken of it; "" where
// none has told. What a node may give beyond its memory is what the document lets it promise.
func capacityTable(status api.Status, view View) string {
	width := view.widths(status).member
	var rows strings.Builder
	for _, node := range status.Nodes {
		c := node.Capacity
		if c == nil || view.Node != "" && node.Name != view.Node {
			continue
		}
		cpus := fmt.Sprintf("%d of %d", c.CPUsUsed, c.CPUs)
		if c.CPULimit > 0 {
			cpus = fmt.Sprintf("%d of %d", c.CPUsUsed, c.CPULimit)
		}
		row := fmt.Sprintf(" %s %9s %9s %9s %9s  %s", fit(clean(node.Name), width), resources.Bytes(c.Memory),
			resources.Bytes(c.Reserved), resources.Bytes(c.Used), resources.Bytes(c.Free), cpus)
		if c.Huge > 0 {
			row += fmt.Sprintf(", %s of %s in huge pages", resources.Bytes(c.HugeUsed), resources.Bytes(c.Huge))
		}
		rows.WriteString(row + "\n")
	}
	if rows.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("\n %s %9s %9s %9s %9s  %s\n %s %9s %9s %9s %9s  %s\n", fit("Member Name", width), "Memory",
		"Reserved", "Services", "Free", "CPUs taken", fit("------ ----", width), "------", "--------", "--------", "----",
		"---- -----") + rows.String()
}

// Networks writes the networks of guests, one in a row: a column for each node, with x where the
// node is to have it.
func Networks(status api.Status) string {
	if len(status.Networks) == 0 {
		return "The document declares no networks of guests.\n"
	}
	heads := []string{"NETWORK", "VLAN", "OVER", "BRIDGE"}
	for _, node := range status.Nodes {
		heads = append(heads, node.Name)
	}
	rows := [][]string{append(heads, "SERVICES")}
	for _, n := range status.Networks {
		row := []string{n.Name, strconv.Itoa(n.VLAN), n.Over, n.Bridge}
		for _, node := range status.Nodes {
			mark := "-"
			if slices.Contains(n.Nodes, node.Name) {
				mark = "x"
			}
			row = append(row, mark)
		}
		rows = append(rows, append(row, strconv.Itoa(len(n.Services))))
	}
	return columns(rows)
}

// Network writes one network of guests: what it is, and what is attached to it on which node.
func Network(status api.Status, n api.Network) string {
	mtu := "as large as the way between the hosts allows"
	if n.MTU > 0 {
		mtu = strconv.Itoa(n.MTU)
	}
	rows := [][]string{{"VLAN", strconv.Itoa(n.VLAN)}, {"Over", n.Over}, {"Bridge", n.Bridge}, {"MTU", mtu},
		{"Nodes", cmp.Or(strings.Join(n.Nodes, ", "), "none")}}
	for _, s := range status.Services {
		if slices.Contains(n.Services, s.Name) {
			rows = append(rows, []string{s.Name, strings.TrimSpace(s.StateText + " " + s.Owner)})
		}
	}
	return columns(rows)
}
