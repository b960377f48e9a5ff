package rgconf

import (
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// longestServiceName is what a document takes, with the type.
const longestServiceName = 63

// topVM translates a vm at the top.
func (t *translation) topVM(e *importing.Element) {
	spec := t.vm(t.part(e))
	if spec == nil {
		return
	}
	t.policy(t.part(e), spec)
	t.overridden(t.part(e))
}

// vm declares the VM of an element and speaks of everything that concerns the
// VM itself. It returns nil when no service can be made of it.
func (t *translation) vm(p part) *importing.Mapping {
	given := p.get("name")
	name := "vm:" + importing.Name(given)
	switch {
	case given == "" || t.draft.Services.Has(name):
		t.SayWhole(cannot, p.own, "a VM needs a name of its own; this one is left out")
		return nil
	case len(name) > longestServiceName:
		t.SayWhole(cannot, p.own, "a service's name has at most %d letters with its type; this VM is left out",
			longestServiceName)
		return nil
	}
	if refusal := foreign(p); refusal != "" {
		t.SayWhole(cannot, p.own, "%s; this VM is left out", refusal)
		return nil
	}
	paths := definitionPaths(p, given)
	found := t.definitions.Find(t.draft.Cluster, given, paths)
	if other := t.draft.Claim(name, found); other != "" {
		t.SayWhole(cannot, p.own, "its definition %s is that of %s, and a VM is in the cluster once; left out",
			found.Path, other)
		return nil
	}
	spec := importing.NewMapping()
	t.draft.Services.Set(name, spec)
	t.define(p, given, found, spec)
	t.tellPart(translated, p, []string{"name", "ref"}, "%s", name)
	t.Container(p.own)
	t.TellTies(name, found)
	t.migration(p, found)
	t.vmExtras(p)
	return spec
}

// foreign says of a hypervisor that is not QEMU's why it cannot be, or "".
func foreign(p part) string {
	driver, _, isURI := strings.Cut(p.get("hypervisor_uri"), ":")
	driver, _, _ = strings.Cut(driver, "+")
	if kind := p.get("hypervisor"); !isURI && kind != "" && kind != "auto" && kind != "qemu" && kind != "kvm" {
		driver, isURI = kind, true
	}
	switch {
	case isURI && driver != "qemu":
		return "the hypervisor " + driver + " is not driven; only QEMU and KVM by libvirt are"
	case p.get("use_virsh") == "0":
		return "use_virsh=0 is Xen's xm, which is not driven"
	}
	return ""
}

// definitionPaths are where the VM's libvirt XML is: where the source says, or in
// libvirt's own folder.
func definitionPaths(p part, name string) []string {
	var paths []string
	switch {
	case p.get("xmlfile") != "":
		paths = []string{p.get("xmlfile")}
	case p.get("path") != "":
		for _, folder := range strings.Split(p.get("path"), ":") {
			if folder != "" {
				paths = append(paths, filepath.Join(folder, name+".xml"), filepath.Join(folder, name))
			}
		}
	}
	if len(paths) == 0 {
		paths = []string{"/etc/libvirt/qemu/" + name + ".xml"}
	}
	return paths
}

// define writes the VM's definition, or where it is to be put.
func (t *translation) define(p part, name string, found importing.Found, spec *importing.Mapping) {
	libvirts := p.get("xmlfile") == "" && strings.Trim(p.get("path"), ":") == ""
	about := []string{"xmlfile", "path"}
	if libvirts {
		about = []string{"name", "ref"}
	}
	if libvirts && found.Text == "" {
		about = nil
	}
	if found.Text == "" {
		spec.Set("definition_file", found.Path)
		t.draft.Missing = append(t.draft.Missing, found.Path)
		t.Say(cannot, p.own, about, "%s. The document names %s, which has to be there when it is checked and applied "+
			"(`virsh dumpxml --inactive --security-info %s` prints it)", found.Problem, found.Path, name)
		t.Advise("Put the missing definitions in place, or import again with --definitions FOLDER.")
		return
	}
	spec.Set("definition", found.Text)
	if libvirts {
		t.Say(translated, p.own, about,
			"definition: read from %s. It was libvirt's own, and libvirt must forget it before the cluster starts the VM: "+
				"`clusterd vm import %s` does both for a VM that is still defined", found.Path, name)
	} else {
		kind := importing.Translated
		if !found.Named && (p.own.Has("xmlfile") || p.own.Has("path")) {
			kind = importing.Unneeded // The document would be the same without this path.
		}
		t.Say(kind, p.own, about, "definition: read from %s and kept in the document; the file counts no more", found.Path)
	}
	if found.MadeUUID {
		t.Say(changes, p.own, nil, "the definition has no <uuid>, so each start made another VM of it; one was written in")
	}
}

func (t *translation) migration(p part, found importing.Found) {
	how, live := found.Live()
	if !live {
		t.tellPart(changes, p, []string{"migrate"}, "%s", how)
		t.Say(changes, p.own, nil, "%s", how)
	}
	if p.get("migrate") == "pause" {
		t.tellPart(changes, p, []string{"migrate"}, "guests move live always; there is no move that suspends, copies and "+
			"resumes")
	}
	t.tellPart(unneeded, p, []string{"migrate"}, "guests move live")
	t.tellPart(cannot, p, []string{"migration_mapping"}, "migrations take the network of the nodes' `address`; "+
		"another one cannot be chosen")
	t.tellPart(unneeded, p, []string{"migration_uri"}, "migrations go through clusterd's own encrypted channel; no "+
		"ssh keys and no open libvirt ports are needed")
	t.tellPart(unneeded, p, []string{"tunnelled"}, "migrations are always tunnelled and encrypted")
	t.tellPart(cannot, p, []string{"migrate_options"}, "virsh's options are not passed on")
	t.tellPart(unneeded, p, []string{"hypervisor", "use_virsh"}, "KVM by libvirt")
	if uri := p.get("hypervisor_uri"); uri != "" && uri != "auto" && uri != "qemu:///system" {
		t.tellPart(changes, p, []string{"hypervisor_uri"}, "write `hypervisor: %s` into /etc/clusterd/node.yaml of every "+
			"node", uri)
	}
	t.tellPart(unneeded, p, []string{"hypervisor_uri"}, "qemu:///system is the default")
}

func (t *translation) vmExtras(p part) {
	e := p.own
	t.tellPart(cannot, p, []string{"snapshot"}, "a stop shuts the guest down; nothing is saved to a file and restored")
	t.tellPart(cannot, p, []string{"status_program"}, "no program is run to ask the guest. `probe: tcp:ADDRESS:PORT` "+
		"(or udp) asks it after a start; that tells, and later tiers wait for it, but it decides nothing about recovery")
	if keep, _ := importing.Truth(p.get("no_kill")); keep {
		t.tellPart(cannot, p, []string{"no_kill"}, "a guest that does not shut down within stop_timeout is destroyed; "+
			"make stop_timeout long (24h is the most)")
	}
	t.tellPart(unneeded, p, []string{"no_kill"}, "not set")
	t.tellPart(unneeded, p, []string{"max_messages", "init_on_add", "destroy_on_delete", "__enforce_timeouts"},
		"a VM that is declared or removed while it runs is not touched, and times are always enforced")
	for _, action := range e.All("action") {
		t.vmAction(p, action)
	}
}

func (t *translation) vmAction(p part, action *importing.Element) {
	key := map[string]string{"start": "start_timeout", "stop": "stop_timeout",
		"migrate": "migrate_timeout"}[action.Get("name")]
	span, err := importing.ReadSpan(action.Get("timeout"))
	switch {
	case key != "" && err == nil && span > 0:
		name := "vm:" + importing.Name(p.get("name"))
		t.draft.Services.Mapping(name).Set(key, span)
		t.SayAll(translated, action, "%s: %s", key, importing.Span(span))
	case action.Get("name") == "status":
		t.SayAll(unneeded, action, "libvirt tells by itself when a guest ends; it is not asked by the clock")
	default:
		t.SayAll(cannot, action, "there is no such setting")
	}
}
