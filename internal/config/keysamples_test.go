package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/nets"
)

const (
	reference = "../../docs/operators/configuration.md"
	ofParts   = "../../docs/operators/services.md"
	ofAlerts  = "../../docs/operators/alerts.md"
	header    = "url: https://h/, header: X"
)

// kindsAtTop are the tables of what is there once.
func kindsAtTop() []kind {
	return []kind{
		{name: "document", rows: rowsOf(documentKeys), page: reference, heading: "### At the top",
			lines: keys.Lines(documentKeys, false),
			put: func(d *draft, entry string) {
				d.top = map[string]string{}
				for _, entry := range strings.Split(entry, "; ") {
					name, value, _ := strings.Cut(entry, ": ")
					d.top[name] = value
				}
			},
			samples: map[string]sample{"cluster": {"a", "b", ""}, "timing": {"fast", "relaxed", ""},
				"start_at_once": {"3", "4", ""}, "stop_grace": {"5m", "6m", ""}, "reserve_memory": {"1GiB", "2GiB", ""},
				"memory_overcommit": {"1.5", "2", ""}, "cpu_overcommit": {"4", "0.5", ""},
				"fencing":  {"{at_once: 2}", "{at_once: 2, drills: {every: 720h}}", ""},
				"two_node": {"{delay: 5s}", "{favour: node2}", ""}, "web": {`{listen: ":1"}`, `{listen: ":2"}`, ""}}},
		{name: "fencing", rows: rowsOf(fencingKeys), page: reference, heading: "### fencing",
			lines: keys.Lines(fencingKeys, false), put: func(d *draft, entry string) { d.fencing = entry },
			samples: map[string]sample{"at_once": {"2", "3", ""}, "shots": {"8", "9", ""}, "window": {"5m", "1h", ""},
				"drills": {"{every: 720h}", "{every: 48h}", ""}}},
		{name: "drills", rows: rowsOf(drillKeys), within: meaning(fencingKeys, "drills"),
			put: func(d *draft, entry string) { d.drills = entry },
			samples: map[string]sample{"every": {"720h", "48h", ""}, "from": {`"21:00"`, `"22:00"`, `every: 48h, to: "4:00"`},
				"to": {`"4:30"`, `"5:00"`, `every: 48h, from: "22:00"`}}},
		{name: "web", rows: rowsOf(webKeys), page: reference, heading: "### web", lines: keys.Lines(webKeys, false),
			put: func(d *draft, entry string) { d.web = entry },
			samples: map[string]sample{"listen": {`":1"`, `":2"`, ""},
				"certificate": {"/a.pem", "/b.pem", `listen: ":1", key: /k`},
				"key":         {"/a.key", "/b.key", `listen: ":1", certificate: /c`}}},
		{name: "two_node", rows: rowsOf(twoNodeKeys), page: reference, heading: "### two_node", number: 0,
			lines: keys.Lines(twoNodeKeys, false), put: func(d *draft, entry string) { d.twoNode = entry },
			samples: map[string]sample{"favour": {"node1", "node2", ""}, "delay": {"5s", "6s", ""}}},
		{name: "how full a node may become", page: reference, heading: "### How full a node may become",
			lines: keys.Lines(allowanceKeys[cluster.Allowance](nil, nil), false)},
	}
}

// kindsOfHosts are the tables of nodes, and of what belongs to them.
func kindsOfHosts() []kind {
	return []kind{
		{name: "node", rows: rowsOf(nodeKeys), page: reference, heading: "### nodes", lines: keys.Lines(nodeKeys, false),
			put: func(d *draft, entry string) { d.node = entry },
			samples: map[string]sample{"site": {"x", "y", ""}, "fence": {"[[b1]]", "[[b1], [b3]]", ""},
				"reserve_memory": {"1GiB", "2GiB", ""}, "memory_overcommit": {"1.5", "2", ""},
				"cpu_overcommit": {"4", "0.5", ""}}},
		{name: "limits of a device", rows: rowsOf(limitKeys), page: reference, heading: "### devices",
			lines: keys.Lines(limitKeys, false), put: putDevice,
			samples: map[string]sample{"at_once": {"1", "2", ""}, "attempts": {"1", "2", ""}, "delay": {"5s", "6s", ""}}},
		{name: "device", rows: rowsOf(slices.Concat(accessKeys, optionsKeys)), page: reference, heading: "### devices",
			number: 1, lines: keys.Lines(slices.Concat(accessKeys, optionsKeys), false), alone: true, put: putDevice,
			samples: map[string]sample{"driver": {"ipmi", "ipmitool", ""}, "address": {"10.0.0.8", "10.0.0.9", ""},
				"username": {"u", "v", ""}, "password": {"hush1", "hush2", ""}, "password_file": {"/hush1", "/hush2", ""},
				"password_credential": {"c", "d", ""}, "options": {"{cipher: 3}", "{cipher: 17}", ""}}},
		{name: "domain", rows: rowsOf(domainKeys), page: reference, heading: "### domains",
			lines: keys.Lines(domainKeys, false), put: func(d *draft, entry string) { d.domain = entry },
			samples: map[string]sample{"ordered": {"true", "false", ""}, "restricted": {"true", "false", ""},
				"nofailback": {"true", "false", ""}, "members": {"[node1]", "{node1: 2, node2: 1}", ""}}},
		{name: "network", rows: rowsOf(nets.Keys), page: reference, heading: "### networks",
			lines: keys.Lines(nets.Keys, true),
			put: func(d *draft, entry string) {
				d.networks = append(d.networks, "net: {"+entry+unlessIn(entry, "vlan", ", vlan: 7")+"}")
			},
			samples: map[string]sample{"vlan": {"30", "31", ""}, "over": {"vxlan", "vxlan", ""},
				"bridge": {"br1", "br2", ""}, "mtu": {"1400", "1500", ""}}},
	}
}

func putDevice(d *draft, entry string) {
	d.devices = append(d.devices, fmt.Sprintf("d%d: {%s%s%s}", len(d.devices), entry,
		unlessIn(entry, "driver", ", driver: ipmi"), unlessIn(entry, "address", ", address: h")))
}

// kindsOfServices are the tables of services and of their parts.
func kindsOfServices() []kind {
	return []kind{
		{name: "service", rows: rowsOf(slices.Concat(madeOfKeys, runsKeys)), page: reference, heading: "### services",
			lines: keys.Lines(slices.Concat(madeOfKeys, runsKeys), true), alone: true,
			put: func(d *draft, entry string) {
				if strings.HasPrefix(entry, "resources") {
					d.partsOf(entry)
					return
				}
				d.vmOf(entry)
			}, samples: serviceSamples},
		{name: "migration", rows: rowsOf(migrationKeys), page: reference, heading: "### services", number: 1,
			lines: keys.Lines(migrationKeys, false), put: func(d *draft, entry string) { d.vmOf("migration: {" + entry + "}") },
			samples: map[string]sample{"mode": {"hybrid", "post-copy", ""}, "bandwidth": {"1", "2", ""},
				"downtime": {"1s", "2s", ""}, "auto_converge": {"true", "false", ""}, "compression": {"true", "false", ""}}},
		{name: "rules", rows: rowsOf(ruleKeys), page: reference, heading: "### services", number: 2,
			lines: keys.Lines(ruleKeys, true), alone: true, put: (*draft).vmOf,
			samples: map[string]sample{"exclusive": {"false", "true", ""}, "depend": {"[]", `["vm:b"]`, ""},
				"together": {"[]", `["vm:b"]`, ""}, "apart": {"[]", `["vm:b"]`, ""}, "tier": {"1", "2", ""},
				"priority": {"1", "2", ""}, "stop_failure": {"failed", "fence", ""}}},
		{name: "dependency", rows: rowsOf(dependencyKeys), within: meaning(ruleKeys, ruleDepend), alone: true,
			put:     func(d *draft, entry string) { d.vmOf("depend: [{" + entry + "}]") },
			samples: map[string]sample{"service": {`"vm:b"`, `"vm:c"`, ""}, "mode": {"soft", "hard", `service: "vm:b"`}}},
		{name: "resource", rows: rowsOf(resourceKeys), page: ofParts, heading: "## Keys of a resource",
			lines: keys.Lines(resourceKeys, true), alone: true,
			put: func(d *draft, entry string) {
				entry += unlessIn(" "+entry, " ref:", unlessIn(" "+entry, " type:", `, type: "lsb:x"`))
				d.partsOf("resources: [{" + entry + "}]")
			}, samples: resourceSamples},
		{name: "check", rows: rowsOf(checkKeys), within: meaning(resourceKeys, "status"),
			put: func(d *draft, entry string) {
				d.partsOf(`resources: [{type: "lsb:x", status: [{` + entry + unlessIn(entry, "interval", ", interval: 5s") + "}]}]")
			},
			samples: map[string]sample{"depth": {"0", "1", ""}, "interval": {"5s", "6s", ""}, "timeout": {"5s", "6s", ""}}},
		{name: "alert", rows: rowsOf(alertKeys), page: ofAlerts, heading: "# Alerts: who is told of events",
			lines: keys.Lines(alertKeys, true), alone: true,
			put: func(d *draft, entry string) {
				d.alerts = append(d.alerts, fmt.Sprintf("a%d: {%s%s}", len(d.alerts), entry,
					unlessIn(entry, "url", unlessIn(entry, "program", ", program: /bin/a"))))
			}, samples: alertSamples},
	}
}

var serviceSamples = map[string]sample{
	"definition": {`"<domain><name>x</name><uuid>` + uuidA + `</uuid></domain>"`,
		`"<domain><name>y</name><uuid>` + uuidA + `</uuid></domain>"`, ""},
	"definition_file": {"/one.xml", "/other.xml", ""},
	"resources": {`[{type: "lsb:x", parameters: {a: 1}, name: y}]`,
		`[{type: "lsb:x", parameters: {a: 2}, name: y}]`, ""},
	"domain": {"main", "other", ""}, "autostart": {"true", "false", ""}, "recovery": {"restart", "relocate", ""},
	"max_restarts": {"1", "2", ""}, "restart_expire_time": {"1m", "2m", ""}, "start_timeout": {"1m", "2m", ""},
	"stop_timeout": {"1m", "3m", ""}, "destroy_timeout": {"1m", "2m", ""}, "migrate_timeout": {"1m", "2m", ""},
	"migration":    {"{bandwidth: 100}", "{bandwidth: 100, downtime: 1s, auto_converge: true}", ""},
	"storage_only": {"false", "true", ""}, "probe": {"udp:10.0.0.9:7", "tcp:10.0.0.9:7", ""},
	"networks": {"[]", "[blue]", ""}, "memory": {"512MiB", "1.5GiB", ""}, "vcpus": {"1", "2", ""},
}

var resourceSamples = map[string]sample{
	"type": {`"lsb:x"`, `"lsb:y"`, ""}, "ref": {"ip", "ip2", ""}, "name": {"one", "other", ""},
	"parameters": {"{a: 1}", "{a: 2}", ""}, "subtree": {"independent", "non-critical", ""},
	"max_restarts":        {"1", "2", "subtree: independent, restart_expire_time: 1m"},
	"restart_expire_time": {"1m", "2m", "subtree: independent, max_restarts: 1"},
	"max_failures":        {"1", "2", "failure_expire_time: 1m"},
	"failure_expire_time": {"1m", "2m", "max_failures: 1"},
	"start_timeout":       {"1s", "2s", ""}, "stop_timeout": {"1s", "2s", ""},
	"status":    {"[{interval: 5s}]", "[{interval: 6s}]", ""},
	"resources": {`[{type: "lsb:z", name: p}]`, `[{type: "lsb:z", name: p}, {type: "lsb:z", name: q}]`, ""},
}

var alertSamples = map[string]sample{
	"program": {"/bin/a", "/bin/b", ""}, "arguments": {"[x]", "[y]", ""}, "url": {"https://h/", "https://i/", ""},
	"secret_url": {"https://hush/", "https://hush/2", ""}, "secret_url_file": {"/hushurl1", "/hushurl2", ""},
	"secret_url_credential": {"c", "d", ""}, "ca_file": {"/one.pem", "/other.pem", "url: https://h/"},
	"header": {"X", "Y", "url: https://h/, secret: hush1"}, "secret": {"hush1", "hush2", header},
	"secret_file": {"/hush1", "/hush2", header}, "secret_credential": {"c", "d", header},
	"kinds": {"[node]", "[service]", ""}, "subjects": {`["vm:*"]`, `["vm:b"]`, ""}, "codes": {"[vm-*]", "[node-*]", ""},
	"states": {"[failed]", "[lost]", ""}, "node": {"node1", "node2", ""}, "timeout": {"5s", "6s", ""},
	"attempts": {"1", "2", ""},
}
