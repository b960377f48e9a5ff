package cib

import (
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

var domainTable = []known{
	{[]string{"hypervisor"}, unneeded, "qemu:///system is the default; another URI is `hypervisor` in /etc/clusterd/node.yaml of every node"},
	{[]string{"migration_transport", "migration_user", "migrateport", "migrateuri", "migrate_options"}, unneeded, "migrations go through clusterd's own encrypted channel; no ssh keys and no open libvirt ports are needed"},
	{[]string{"migration_network_suffix"}, cannot, "migrations take the network of the nodes' `address`; another one cannot be chosen"},
	{[]string{"migration_downtime", "migration_speed"}, cannot, "limits of a migration cannot be set"},
	{[]string{"force_stop"}, changes, "a guest is asked to shut down, and destroyed after stop_timeout; make that short"},
	{[]string{"shutdown_mode"}, cannot, "the guest is asked by ACPI or its agent, as libvirt chooses"},
	{[]string{"monitor_scripts"}, cannot, "no program is run to ask the guest. `probe: tcp:ADDRESS:PORT` asks it after a start; that decides nothing about recovery"},
	{[]string{"snapshot", "backingfile", "stateless", "copyindirs"}, cannot, "a stop shuts the guest down; nothing is saved, copied or restored"},
	{[]string{"save_config_on_stop", "sync_config_on_stop"}, unneeded, "the definition is in the document, the same for every node"},
	{[]string{"autoset_utilization_cpu", "autoset_utilization_hv_memory", "autoset_utilization_host_memory", "unset_utilization_cpu", "unset_utilization_hv_memory"}, cannot, "memory and cores are not counted"},
	{[]string{"start_resources", "remoteuri"}, cannot, "pools and networks of libvirt are started by libvirt (virsh pool-autostart, net-autostart)"},
}

// vm translates a VirtualDomain. It returns the service's name, or "".
func (t *translation) vm(i *item) string {
	config := i.params.get("config")
	if config == "" {
		config = "/etc/libvirt/qemu/" + i.id + ".xml"
	}
	found := t.definitions.Find(t.draft.Cluster, i.id, []string{config})
	if other := t.draft.Claim("vm:"+importing.Name(i.id), found); other != "" {
		t.SayWhole(cannot, i.element, "its definition %s is that of %s, and a VM is in the cluster once; left out", found.Path, other)
		return ""
	}
	name, spec := t.declare(i, "vm", i.id)
	if name == "" {
		return ""
	}
	t.services[i.id] = []string{name}
	t.SayAll(translated, i.element, "%s", name)
	t.define(i, found, spec)
	for _, k := range domainTable {
		i.params.tell(k.kind, k.message, k.names...)
	}
	if live, _ := importing.Truth(i.meta.get("allow-migrate")); i.meta.has("allow-migrate") && !live {
		i.meta.tell(changes, "guests move live whenever they can", "allow-migrate")
	}
	i.meta.tell(translated, "guests move live", "allow-migrate")
	if !i.meta.has("allow-migrate") {
		t.Say(changes, i.element, nil, "without allow-migrate it was stopped and started for a move; here it moves live")
	}
	t.policy(i, name, spec)
	for _, op := range i.ops {
		t.vmOperation(spec, op)
	}
	return name
}

// define writes the VM's definition, or where it is to be put.
func (t *translation) define(i *item, found importing.Found, spec *importing.Mapping) {
	about, told := i.params.find("config"), []string{"value"}
	if about == nil {
		about, told = i.element, nil
	}
	if found.Text == "" {
		spec.Set("definition_file", found.Path)
		t.draft.Missing = append(t.draft.Missing, found.Path)
		t.Say(cannot, about, told, "%s. The document names %s, which has to be there when it is checked and applied", found.Problem, found.Path)
		return
	}
	spec.Set("definition", found.Text)
	t.Say(translated, about, told, "definition: read from %s and kept in the document; the file counts no more", found.Path)
	if found.MadeUUID {
		t.Say(changes, about, nil, "the definition has no <uuid>, so each start made another VM of it; one was written in")
	}
}

func (t *translation) vmOperation(spec *importing.Mapping, op *importing.Element) {
	key := map[string]string{"start": "start_timeout", "stop": "stop_timeout", "migrate_to": "migrate_timeout", "migrate_from": "migrate_timeout"}[op.Get("name")]
	span, err := importing.ReadSpan(op.Get("timeout"))
	switch {
	case op.Get("name") == "monitor":
		t.onFail(op, spec)
		t.sayOp(unneeded, op, "libvirt tells by itself when a guest ends; it is not asked by the clock")
		return
	case key != "" && err == nil && span > 0:
		if before, err := time.ParseDuration(spec.Text(key)); err != nil || before < span {
			spec.Set(key, min(span, longestBudget))
		}
		t.Tell(translated, op, []string{"name", "timeout"}, "%s: %s", key, spec.Text(key))
	}
	if op.Get("name") != "monitor" {
		t.Quiet(op, "interval", "id")
	}
	t.onFail(op, spec)
	t.sayOp(unneeded, op, "nothing to set")
}

// sayOp speaks of what is left of an operation, and of its own attributes.
func (t *translation) sayOp(kind importing.Kind, op *importing.Element, message string) {
	t.Tell(kind, op, op.Names(), "%s", message)
	for _, name := range []string{"instance_attributes", "meta_attributes"} {
		t.pairs(op, name).tellAll(kind, message)
	}
}

// onFail translates what a failed operation meant.
func (t *translation) onFail(op *importing.Element, spec *importing.Mapping) {
	fail := op.Get("on-fail")
	stop := op.Get("name") == "stop"
	switch {
	case fail == "":
	case stop && fail == "fence":
		spec.Set("stop_failure", "fence")
		t.Tell(translated, op, []string{"on-fail"}, "stop_failure: fence")
	case stop && fail == "block":
		spec.Set("stop_failure", "failed")
		t.Tell(translated, op, []string{"on-fail"}, "stop_failure: failed; a person looks")
	case fail == "restart":
		t.Tell(unneeded, op, []string{"on-fail"}, "recovery: restart is the default")
	case fail == "stop" && !stop:
		spec.Set("recovery", "disable")
		t.Tell(changes, op, []string{"on-fail"}, "recovery: disable; it stays down until it is enabled")
	default:
		t.Tell(cannot, op, []string{"on-fail"}, "there is no such answer to a failure; the service is recovered")
	}
}
