package importing

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// largestDefinition is what a document takes.
const largestDefinition = 1 << 20

// drivenTypes are the types of libvirt's <domain> that the QEMU driver runs.
var drivenTypes = []string{"kvm", "qemu", "hvf"}

// Definitions finds the libvirt XML of VMs.
type Definitions struct {
	// ReadFile reads a file of this host.
	ReadFile func(path string) ([]byte, error)
	// Folder holds definitions as NAME.xml, or under the name that the source
	// gives them; it is looked at first. Empty is none.
	Folder string
	// Now is the instant by which rules with dates are judged. Zero leaves them
	// open: nothing counts as over.
	Now time.Time
	// Ties says of a definition what keeps the VM from moving live, and what stays on
	// its host when it is started on another one. Nil says nothing.
	Ties func(text string) (notLive, stays string)
}

// Found is a VM's definition.
type Found struct {
	// Text is the XML; empty when it was not found, or is not usable.
	Text string
	// Path is where it was read, or where it is looked for when the document is
	// checked.
	Path string
	// Named tells that it was found by a path that the source names, not by the VM's name.
	Named bool
	// Problem says why there is no text, as the end of a sentence.
	Problem string
	// UUID and Title are those of the VM in the XML.
	UUID, Title string
	// MadeUUID tells that the XML had no UUID and was given one.
	MadeUUID bool
	// NotLive and Stays are the VM's ties to a host; see Definitions.Ties.
	NotLive, Stays string
}

// Live says what becomes of a VM's live moves, and whether there are any.
func (f Found) Live() (text string, live bool) {
	if f.NotLive != "" {
		return "it cannot move live while it has " + f.NotLive + "; `clusvcadm -r` stops it and starts it elsewhere", false
	}
	return "guests move live", true
}

// TellTies says what stays behind when a VM is started on another host.
func (r *Report) TellTies(service string, f Found) {
	if f.Stays != "" {
		r.Advise("%s: started on another node, it is without what is in %s, unless that is one and the same there. "+
			"Put it where every node has it.", service, f.Stays)
	}
}

// Find looks for a VM's definition in the folder of definitions and then at
// the paths that the source names. cluster and name make the UUID of a
// definition that has none.
func (d Definitions) Find(cluster, name string, paths []string) Found {
	var candidates []string
	if d.Folder != "" {
		candidates = append(candidates, filepath.Join(d.Folder, name+".xml"))
		for _, path := range paths {
			if candidate := filepath.Join(d.Folder, filepath.Base(path)); candidate != candidates[0] {
				candidates = append(candidates, candidate)
			}
		}
	}
	for _, path := range paths {
		if !slices.Contains(candidates, path) {
			candidates = append(candidates, path)
		}
	}
	for _, path := range candidates {
		text, err := d.ReadFile(path)
		if err != nil {
			continue
		}
		found := usable(cluster, name, path, string(text))
		found.Named = d.Folder == "" || path != filepath.Join(d.Folder, name+".xml")
		if found.Text != "" && d.Ties != nil {
			found.NotLive, found.Stays = d.Ties(found.Text)
		}
		return found
	}
	return Found{Path: candidates[0], Problem: "its libvirt XML is not on this host (looked at " + strings.Join(
		candidates, ", ") + ")"}
}

func usable(cluster, name, path, text string) Found {
	found := Found{Path: path}
	if len(text) > largestDefinition {
		found.Problem = fmt.Sprintf("its libvirt XML in %s is larger than %d bytes", path, largestDefinition)
		return found
	}
	top, err := ReadMarkup(path, []byte(text))
	if err != nil {
		found.Problem = "its definition cannot be read: " + err.Error()
		return found
	}
	if kind := top.Get("type"); top.Name == "domain" && kind != "" && !slices.Contains(drivenTypes, kind) {
		found.Problem = fmt.Sprintf("its definition %s is of type %s, and only KVM and QEMU are driven", path, brief(kind))
		return found
	}
	if top.Name != "domain" || top.Child("name") == nil {
		found.Problem = "its definition " + path + " is no libvirt <domain> with a <name>"
		return found
	}
	if uuid := top.Child("uuid"); uuid == nil || strings.TrimSpace(uuid.Text) == "" {
		text = withUUID(text, MadeUUID(cluster, name))
		found.MadeUUID = true
		if again, err := ReadMarkup(path, []byte(text)); err != nil || again.Child("uuid") == nil ||
			again.Child("name") == nil {
			found.Problem = "its definition " + path + " has no <uuid>; add one (uuidgen makes it)"
			return found
		}
	}
	if top, err = ReadMarkup(path, []byte(text)); err != nil {
		found.Problem = "its definition cannot be read: " + err.Error()
		return found
	}
	found.UUID, found.Title = strings.ToLower(strings.TrimSpace(top.Child("uuid").Text)),
		strings.TrimSpace(top.Child("name").Text)
	found.Text = text
	if !strings.HasSuffix(found.Text, "\n") {
		found.Text += "\n"
	}
	return found
}

// withUUID writes a UUID in front of the first <name>.
func withUUID(text, uuid string) string {
	return strings.Replace(text, "<name>", "<uuid>"+uuid+"</uuid><name>", 1)
}

// MadeUUID is the UUID of a VM that had none: always the same for one cluster
// and one name (version 5 of RFC 9562).
func MadeUUID(cluster, name string) string {
	sum := sha1.Sum([]byte("clusterd import\x00" + cluster + "\x00" + name))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	digits := hex.EncodeToString(sum[:16])
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}

// StandIn is a definition in place of one that is not here yet, so that the
// rest of a document can be checked.
func StandIn(path string) []byte {
	name := Name(path)
	return []byte("<domain type='kvm'><name>" + name + "</name><uuid>" + MadeUUID("stand-in", path) + "</uuid></domain>")
}

// Claim takes a VM's definition for a service. It returns the service that has
// it already, or "": a VM is in a cluster once.
func (d *Draft) Claim(service string, f Found) string {
	keys := []string{"path " + f.Path}
	if f.Text != "" {
		keys = []string{"UUID " + f.UUID, "title " + f.Title}
	}
	for _, key := range keys {
		if other := d.claimed[key]; other != "" {
			return other
		}
	}
	for _, key := range keys {
		d.claimed[key] = service
	}
	return ""
}
