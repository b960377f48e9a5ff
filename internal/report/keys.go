package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
)

// KeyOf tells which key a node has.
func KeyOf(root *cluster.State, node string) string {
	n, known := root.Nodes.Get(node)
	since := "since it joined"
	if !n.KeyAt.IsZero() {
		since = "since " + n.KeyAt.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	if !known || n.Fingerprint == "" {
		return node + " has no key that is recorded"
	}
	return fmt.Sprintf("%s has key %.16s %s", node, n.Fingerprint, since)
}

// Keys tells of each node which key it has, and what a new one waits for.
func Keys(root *cluster.State) string {
	var out strings.Builder
	out.WriteString("Keys of the nodes:\n")
	for _, name := range root.Nodes.Keys() {
		fmt.Fprintf(&out, "  %s\n", KeyOf(root, name))
	}
	for _, waits := range root.KeyTurns() {
		fmt.Fprintf(&out, "%s.\n", waits)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// Authority tells how far a rotation is.
func Authority(root *cluster.State) string {
	next := root.Secrets.Next
	if next == nil {
		return "The authority is not being rotated."
	}
	var out strings.Builder
	waits := root.AuthorityWaits().String()
	fmt.Fprintf(&out, "%s%s.\n", strings.ToUpper(waits[:1]), waits[1:])
	for _, name := range root.Nodes.Keys() {
		word := "does not say yet that it believes the new one"
		switch {
		case next.Held[name]:
			word = "has a certificate of the new one"
		case next.Believed[name]:
			word = "believes both"
		}
		fmt.Fprintf(&out, "  %s %s\n", name, word)
	}
	users := map[string]bool{}
	for _, fingerprint := range root.Clients.Keys() {
		client, _ := root.Clients.Get(fingerprint)
		users[client.User] = true
	}
	if len(users) > 0 {
		fmt.Fprintf(&out, "Certificates of remote tools end with the old authority; make new ones afterwards: %s.\n",
			strings.Join(slices.Sorted(maps.Keys(users)), ", "))
	}
	if next.Signing {
		out.WriteString("It can no longer be given up. A node that stays away holds it up until it is removed.")
	} else {
		out.WriteString("It can be given up with `clusterd keys rotate authority --abort`.")
	}
	return out.String()
}
