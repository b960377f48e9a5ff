package cli

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
)

// clustatXMLVersion is the version of the format, not of the tool: rgmanager's last.
const clustatXMLVersion = "4.1.1"

// StatusXML writes the state attribute for attribute as rgmanager's clustat -x did, because
// monitoring reads it; what is ours stands at the end of each element.
func StatusXML(status api.Status, view View) string {
	var out strings.Builder
	fmt.Fprintf(&out, "<?xml version=\"1.0\"?>\n<clustat version=%q>\n", clustatXMLVersion)
	element(&out, 2, "cluster", "name", status.Cluster, "id", status.ID, "generation", fmt.Sprint(status.Generation))
	element(&out, 2, "quorum", "quorate", bit(status.Quorate), "groupmember", "1", "locked",
		bit(status.Lock != nil && status.Lock.Locked))
	if view.Service == "" {
		out.WriteString("  <nodes>\n")
		for _, node := range status.Nodes {
			if view.Node == "" || view.Node == node.Name {
				nodeElement(&out, node)
			}
		}
		out.WriteString("  </nodes>\n")
	}
	if view.Node == "" {
		out.WriteString("  <groups>\n")
		for _, service := range status.Services {
			if view.Service == "" || view.Service == service.Name {
				groupElement(&out, service)
			}
		}
		out.WriteString("  </groups>\n")
	}
	out.WriteString("</clustat>\n")
	return out.String()
}

func nodeElement(out *strings.Builder, node api.Node) {
	element(out, 4, "node",
		"name", node.Name,
		"state", bit(node.Online),
		"local", bit(node.Local),
		"estranged", bit(node.Estranged),
		"rgmanager", bit(runsDaemon(node)),
		"rgmanager_master", bit(node.Leader),
		"qdisk", "0",
		"nodeid", fmt.Sprintf("0x%08x", node.ID),
		"state_str", node.State,
		"voter", bit(node.Voter),
		"witness", bit(node.Witness),
		"unprotected", node.Unprotected,
		"order", orderWord(node.Order),
	)
}

// orderWord is empty where nothing was ordered.
func orderWord(order *api.NodeOrder) string {
	if order == nil {
		return ""
	}
	return order.Order
}

func groupElement(out *strings.Builder, service api.Service) {
	element(out, 4, "group",
		"name", service.Name,
		"state", fmt.Sprint(service.State),
		"state_str", service.StateText,
		"flags", fmt.Sprint(service.Flags),
		"flags_str", xmlFlags(service.Flags),
		"owner", firstOf(service.Owner, "none"),
		"last_owner", firstOf(service.LastOwner, "none"),
		"restarts", fmt.Sprint(service.Restarts),
		"last_transition", fmt.Sprint(max(service.Since.Unix(), 0)),
		"last_transition_str", clockText(service.Since),
		"holders", strings.Join(service.Holders, " "),
		"reason", service.Reason.String(),
		"unprotected", service.Unprotected,
		"frozen_until", frozenUntil(service.Freeze),
	)
}

// frozenUntil is empty where there is no end, or no freeze.
func frozenUntil(freeze *api.FreezeStatus) string {
	if freeze == nil || freeze.Until.IsZero() {
		return ""
	}
	return fmt.Sprint(freeze.Until.Unix())
}

// xmlFlags is empty where there is no flag.
func xmlFlags(flags int) string {
	if flags == 0 {
		return ""
	}
	return flagNames(flags)
}

func bit(value bool) string {
	if value {
		return "1"
	}
	return "0"
}

// element writes one empty element with its attributes, given as names and values in turn.
func element(out *strings.Builder, indent int, name string, pairs ...string) {
	out.WriteString(strings.Repeat(" ", indent) + "<" + name)
	for i := 0; i+1 < len(pairs); i += 2 {
		out.WriteString(" " + pairs[i] + "=\"")
		// It only fails when the writer does, and a strings.Builder does not.
		xml.EscapeText(out, []byte(pairs[i+1]))
		out.WriteString("\"")
	}
	out.WriteString("/>\n")
}
