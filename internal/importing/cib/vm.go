package cib

import (
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

var domainTable = []known{
	{[]string{"hypervisor"}, changes, "write it as `hypervisor` into /etc/clusterd/node.yaml of every node"},
	{[]string{"migration_transport", "migration_user", "migrateport", "migrateuri", "migrate_options"}, unneeded,
		"migrations go through clusterd's own encrypted channel; no ssh keys and no open libvirt ports are needed"},
	{[]string{"migration_network_suffix"}, cannot,
		"migrations take the network of the nodes' `address`; another one cannot be chosen"},
	{[]string{"force_stop"}, changes, "a guest is asked to shut down, and destroyed after stop_timeout; make that short"},
	{[]string{"shutdown_mode"}, cannot, "the guest is asked by ACPI or its agent, as libvirt chooses"},
	{[]string{"monitor_scripts"}, cannot,
		"no program is run to ask the guest. `probe: tcp:ADDRESS:PORT` asks it after a start; that decides nothing " +
			"about recovery"},
	{[]string{"snapshot", "backingfile", "stateless", "copyindirs"}, cannot,
		"a stop shuts the guest down; nothing is saved, copied or restored"},
	{[]string{"save_config_on_stop", "sync_config_on_stop"}, unneeded,
		"the definition is in the document, the same for every node"},
	{[]string{"autoset_utilization_cpu", "autoset_utilization_hv_memory", "autoset_utilization_host_memory",
		"unset_utilization_cpu", "unset_utilization_hv_memory"}, unneeded,
		"what a VM takes is read from its definition, always; `memory` and `vcpus` of it say something else"},
	{[]string{"start_resources", "remoteuri"}, cannot,
		"pools and networks of libvirt are started by libvirt (virsh pool-autostart, net-autostart)"},
}

// foreign says of a hypervisor that is not QEMU's why it cannot be, or "".
func foreign(uri string) string {
	driver, _, _ := strings.Cut(uri, ":")
	driver, _, _ = strings.Cut(driver, "+")
	if uri == "" || driver == "qemu" || !strings.Contains(uri, ":") {
		return ""
	}
	return "the hypervisor " + driver + " is not driven; only QEMU and KVM by libvirt are. Left out"
}

// vm translates a VirtualDomain. It returns the service's name, or "".
func (t *translation) vm(i *item) string {
	if why := foreign(i.params.get("hypervisor")); why != "" {
		t.SayWhole(cannot, i.element, "%s", why)
		return ""
	}
	config := i.params.get("config")
	if config == "" {
		config = "/etc/libvirt/qemu/" + i.id + ".xml"
	}
	found := t.definitions.Find(t.draft.Cluster, i.id, []string{config})
	if other := t.draft.Claim("vm:"+importing.Name(i.id), found); other != "" {
		t.SayWhole(cannot, i.element, "its definition %s is that of %s, and a VM is in the cluster once; left out",
			found.Path, other)
		return ""
	}
	name, spec := t.declare(i, "vm", i.id)
	if name == "" {
		return ""
	}
	t.services[i.id] = []string{name}
	t.Tell(translated, i.element, i.element.Names(), "%s", name)
	t.define(i, found, spec)
	if i.params.get("hypervisor") == "qemu:///system" {
		i.params.tell(unneeded, "the default", "hypervisor")
	}
	for _, k := range domainTable {
		i.params.tell(k.kind, k.message, k.names...)
	}
	t.vmUtilization(i)
	t.TellTies(name, found)
	t.moves(i, found)
	t.moveLimits(i, spec)
	t.policy(i, name, spec)
	for _, op := range t.longestFirst(i.ops) {
		t.vmOperation(spec, op)
	}
	t.defaultVMTimes(spec)
	t.defaultFailure(spec)
	return name
}

// moves says how the VM moved, and how it moves.
func (t *translation) moves(i *item, found importing.Found) {
	how, live := found.Live()
	switch asked, _ := importing.Truth(i.meta.get("allow-migrate")); {
	case asked && !live:
		i.meta.tell(changes, how, "allow-migrate")
	case i.meta.has("allow-migrate") && !asked && live:
		i.meta.tell(changes, "guests move live whenever they can", "allow-migrate")
	case !i.meta.has("allow-migrate") && live:
		t.Say(changes, i.element, nil, "without allow-migrate it was stopped and started for a move; here it moves live")
	case !i.meta.has("allow-migrate"):
		t.Say(changes, i.element, nil, "it was stopped and started for a move; by itself it is not moved here: %s", how)
	}
	i.meta.tell(unneeded, how, "allow-migrate")
}

// moveLimits writes how fast a VM is sent and how long it may stand still.
// VirtualDomain takes MiB a second and milliseconds; 0 is its default, no limit.
func (t *translation) moveLimits(i *item, spec *importing.Mapping) {
	limits := importing.Line()
	for _, limit := range []struct {
		name, key   string
		least, most time.Duration
		unit        time.Duration
	}{
		{"migration_speed", resources.MoveBandwidth, resources.SlowestMove, resources.FastestMove, 1},
		{"migration_downtime", resources.MoveDowntime, resources.ShortestDowntime, resources.LongestDowntime,
			time.Millisecond},
	} {
		given := i.params.get(limit.name)
		number, err := strconv.Atoi(given)
		value := time.Duration(number) * limit.unit
		switch {
		case err == nil && number == 0 || given == "":
			i.params.tell(unneeded, "not set", limit.name)
		case err != nil || number < 0 || number > int(limit.most/limit.unit) || value < limit.least:
			i.params.tell(cannot, "this is no number that a document takes; left out", limit.name)
		case limit.unit == 1:
			limits.Set(limit.key, number)
			i.params.tell(translated, "migration: "+limit.key+" "+limits.Text(limit.key)+" (MiB a second)", limit.name)
		default:
			limits.Set(limit.key, value)
			i.params.tell(translated, "migration: "+limit.key+" "+limits.Text(limit.key), limit.name)
		}
	}
	if limits.Len() > 0 {
		spec.Set("migration", limits)
	}
}

// define writes the VM's definition, or where it is to be put.
func (t *translation) define(i *item, found importing.Found, spec *importing.Mapping) {
	about := i.params.find("config")
	if about == nil {
		about = i.element
	}
	told := []string{"id", "name", "value"}
	if about == i.element {
		told = nil
	}
	if found.Text == "" {
		spec.Set("definition_file", found.Path)
		t.draft.Missing = append(t.draft.Missing, found.Path)
		t.Say(cannot, about, told, "%s. The document names %s, which has to be there when it is checked and applied",
			found.Problem, found.Path)
		return
	}
	spec.Set("definition", found.Text)
	kind := translated
	if about != i.element && !found.Named {
		kind = unneeded // The document would be the same without this path.
	}
	t.Say(kind, about, told, "definition: read from %s and kept in the document; the file counts no more", found.Path)
	if found.MadeUUID {
		t.Say(changes, about, nil, "the definition has no <uuid>, so each start made another VM of it; one was written in")
	}
}
