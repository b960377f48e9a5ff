package config

import (
	"strings"
	"testing"
)

// vm writes a service for the tables below.
func vm(name, uuid, disks string) string {
	return "  vm:" + name + ":\n    definition: |\n      <domain><name>" + name + "</name><uuid>" + uuid +
		"</uuid>\n        <devices>" + disks + "</devices></domain>\n"
}

const (
	uuidA   = "00000000-0000-4000-8000-00000000000a"
	uuidB   = "00000000-0000-4000-8000-00000000000b"
	fileA   = "<disk type='file'><source file='/srv/a.img'/></disk>"
	unit    = "<hostdev type='scsi'><source><adapter name='scsi_host0'/><address unit='0'/></source></hostdev>"
	folder  = "<filesystem type='mount'><source dir='/srv/a'/><target dir='a'/></filesystem>"
	sharedA = "<disk type='file'><source file='/srv/a.img'/><shareable/></disk>"
	readA   = "<disk type='file'><source file='/srv/a.img'/><readonly/></disk>"
)

// faultCases are documents with faults, and what is said about them.
var faultCases = []struct {
	name, text string
	want       []string
}{
	{"empty", "", []string{"d: is empty"}},
	{"two documents", "cluster: a\n---\ncluster: b\n",
		[]string{"d: is not one YAML document: expected single document, found multiple"}},
	{"no name", "timing: fast\n",
		[]string{`d:1:1: the document has no "cluster"; give the cluster's name, for example cluster: alpha`}},
	{"not a mapping", "- a\n", []string{"d:1:1: the document must be a mapping (key: value), not a list"}},
	{"syntax", "cluster: [a\nb: 1\n",
		[]string{"d:2:2: is not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence)"}},
	{"unknown key", "cluster: a\nservces: {}\n",
		[]string{`d:2:1: the document has no key "servces". Did you mean 'services'?`}},
	{"unknown deep key", "cluster: a\nnodes:\n  n1:\n    fnce: []\n",
		[]string{`d:4:5: node n1 has no key "fnce". Did you mean 'fence'?`}},
	{"duplicate key", "cluster: a\ncluster: b\n",
		[]string{`d:2:1: "cluster" appears twice in the document; the first is on line 1`}},
	{"duplicate service", "cluster: a\nservices:\n" + vm("x", uuidA, "") + vm("x", uuidB, ""),
		[]string{`d:7:3: "vm:x" appears twice in services; the first is on line 3`}},
	{"wrong types", "cluster: 5\ntiming: quick\nnodes: []\ndomains: {d: {ordered: yes, members: {n: 1.5}}}\n", []string{
		`d:1:10: cluster must be text, not the number 5; write "5" in quotes if it is meant so`,
		`d:2:9: timing is "quick"; it must be one of fast, normal, relaxed.`,
		"d:3:8: nodes must be a mapping (key: value), not a list",
		`d:4:24: ordered must be true or false, not the text "yes"`,
		`d:4:39: domain d names node "n", which is not declared under nodes.`,
		"d:4:42: the priority of n in domain d must be a whole number, not the number 1.5",
	}},
	{"priority", "cluster: a\nnodes: {n1: }\ndomains: {d: {members: {n1: 101}}}\n",
		[]string{"d:3:29: the priority of n1 in domain d is 101; it must be between 1 and 100"}},
	{"dangling", "cluster: a\nnodes:\n  node1: {fence: [[bcm1]]}\ndevices:\n  bmc1: {driver: ipmi, address: " +
		"10.0.0.1}\ndomains:\n  main: {members: [nod1]}\nservices:\n" +
		strings.Replace(vm("x", uuidA, ""), "    definition", "    domain: mian\n    definition", 1), []string{
		`d:3:20: node1 names device "bcm1", which is not declared under devices. Did you mean 'bmc1'?`,
		`d:7:20: domain main names node "nod1", which is not declared under nodes. Did you mean 'node1'?`,
		`d:10:13: vm:x names domain "mian", which is not declared under domains. Did you mean 'main'?`,
	}},
	{"fence shape", "cluster: a\nnodes: {n: {fence: [b]}}\n",
		[]string{"d:2:21: fence of node n is a list of levels, each a list of devices; write [[b]]"}},
	{"one BMC for two", "cluster: a\nnodes:\n  n1: {fence: [[b]]}\n  n2: {fence: [[b]]}\ndevices: {b: {driver: ipmi, " +
		"address: h}}\n",
		[]string{"d:4:17: device b is already the device of node n1 (line 3); a BMC belongs to one machine"}},
	{"one BMC under two names", "cluster: a\nnodes:\n  n1: {fence: [[b1]]}\n  n2: {fence: [[b2]]}\ndevices:\n" +
		"  b1: {driver: ipmi, address: h}\n  b2: {driver: ipmi, address: 'h:623'}\n",
		[]string{"d:7:3: device b2 of node n2 has the address h:623, and so has device b1 of node n1: one of the two " +
			"machines " +
			"would be shot for the other; correct the address, or name the plug or system of each in its options"}},
	{"device", "cluster: a\ndevices:\n  b: {driver: impi, address: 'x:99999', password: a, password_file: b}\n  c: {}\n",
		[]string{
			`d:3:15: the driver of device b is "impi"; it must be one of agent, ipmi, ipmitool, redfish, sbd, scsi, ` +
				`simulated, watchdog. Did you mean 'ipmi'?`,
			`d:3:30: the address of device b: "99999" is not a port; use 1 to 65535`,
			"d:3:69: device b has both password and password_file; keep one",
			`d:4:3: device c has no "driver"; give one of agent, ipmi, ipmitool, redfish, sbd, scsi, simulated, watchdog`,
			`d:4:3: device c has no "address"; give the host of its BMC, for example 10.0.0.101`,
		}},
	{"redfish", "cluster: a\ndevices:\n  b: {driver: redfish, address: h, options: {auth: digest, fingerprnt: ab, " +
		"fingerprint: ab, insecure: true, ca: /etc/ca.pem}}\n", []string{
		`d:3:52: option auth of device b is "digest"; it must be one of session, basic`,
		`d:3:60: option "fingerprnt" of device b is not known to its driver; there are auth, ca, fingerprint, identity, ` +
			`insecure, system. Did you mean 'fingerprint'?`,
		`d:3:89: option fingerprint of device b has "ab"; write the SHA-256 of the BMC's certificate, 64 hexadecimal digits`,
		`d:3:93: options fingerprint and insecure of device b exclude each other; keep one`,
		`d:3:113: option ca of device b holds no certificate; write the PEM of the authority that signed the BMC's, ` +
			`beginning with -----BEGIN CERTIFICATE-----`,
	}},
	{"ipmi options", "cluster: a\ndevices:\n  b: {driver: ipmi, address: h, options: {cipher: 0, identity: n1}}\n",
		[]string{
			`d:3:51: option cipher of device b is "0"; it must be one of 3, 17`,
			`d:3:64: option identity of device b is "n1"; write the UUID that the BMC tells, 32 hexadecimal digits`,
		}},
	{"agent", "cluster: a\ndevices:\n  b: {driver: agent, password: '\"x\"', options: {agent: /bin/sh, option: " +
		"reboot, passwd: x, plug: ' 7', identity: sure}}\n  c: {driver: agent}\n", []string{
		`d:3:32: the password of device b stands in double quotes of its own, or has spaces around it or control ` +
			`characters, which the fence agents' protocol takes away; choose another password`,
		`d:3:56: option agent of device b is "/bin/sh"; write the name of a fence agent (fence_...) or its absolute path`,
		`d:3:65: option option of device b is not allowed: the cluster chooses the action`,
		`d:3:81: option passwd of device b is not allowed: options are shown; write it as the device's password ` +
			`or password_file`,
		`d:3:98: option plug of device b has outer quotes or spaces, or control characters, which the fence agents' ` +
			`protocol takes away`,
		`d:3:114: option identity of device b is "sure"; say assumed, or leave it out`,
		`d:4:3: device c has no option agent; name the fence agent, for example options: {agent: fence_apc_snmp}`,
	}},
	{"file", "cluster: a\nservices: {'vm:x': {definition_file: /nowhere}}\n",
		[]string{"d:2:38: the definition_file of service vm:x cannot be read: file does not exist"}},
	{"service names", "cluster: a\nservices:\n  web: {}\n  pod:web: {}\n  'vm:a b': {}\n", []string{
		`d:3:3: service "web" has no type; write vm:web for a virtual machine, or service:web for a service ` +
			`made of resources`,
		`d:4:3: service "pod:web": there are services of type vm and service; write vm:NAME or service:NAME`,
		`d:5:3: "a b" is not a name for a service: use up to 63 letters, digits and . _ -, starting with a letter or digit`,
	}},
	{"no definition", "cluster: a\nservices: {'vm:x': {}}\n",
		[]string{"d:2:12: service vm:x has neither definition nor definition_file: a VM needs its libvirt XML"}},
	{"durations and probe", "cluster: a\nservices:\n" + strings.Replace(vm("x", uuidA, ""), "    definition",
		"    stop_timeout: 90\n    start_timeout: 1ms\n    probe: 10.0.0.1\n    definition", 1), []string{
		"d:4:19: stop_timeout must be a time with its unit, such as 90s or 5m, not the number 90",
		"d:5:20: start_timeout is 1ms; it must be between 1s and 24h0m0s",
		`d:6:12: probe is "10.0.0.1"; write udp:ADDRESS:PORT or tcp:ADDRESS:PORT`,
	}},
	{"no UUID", "cluster: a\nservices: {'vm:x': {definition: '<domain><name>x</name></domain>'}}\n",
		[]string{"d:2:33: the definition of vm:x has no <uuid>: a VM is recognised by it on every node; make one with " +
			"uuidgen and add it"}},
	{"broken XML in a block",
		"cluster: a\nservices:\n  vm:x:\n    definition: |\n      <domain>\n        <name>x</nam>\n      </domain>\n",
		[]string{"d:6:17: the definition of vm:x is not valid XML: element <name> closed by </nam>"}},
	{"same UUID and name", "cluster: a\nservices:\n" + vm("x", uuidA, "") +
		strings.Replace(vm("y", strings.ToUpper(uuidA), ""), "<name>y", "<name>x", 1), []string{
		"d:8:17: vm:y has the UUID 00000000-0000-4000-8000-00000000000a, which vm:x (line 4) has too; give each VM its own",
		`d:8:17: vm:y has the libvirt name "x", which vm:x (line 4) has too; give each VM its own`,
	}},
	{"same disk (law L9)", "cluster: a\nservices:\n" + vm("x", uuidA, fileA) + vm("y", uuidB, sharedA), []string{
		"d:8:17: vm:y could write to the disk file:/srv/a.img, and so could vm:x (line 4): give each VM its own disk, " +
			"or mark it <shareable/> in both",
	}},
	{"same unit as a device of both (law L9)", "cluster: a\nservices:\n" + vm("x", uuidA, unit) + vm("y", uuidB, unit),
		[]string{"d:8:17: vm:y could write to the disk scsi:scsi_host0/0:0:0, and so could vm:x (line 4): give each VM " +
			"its own disk, or mark it <shareable/> in both"}},
	{"same disk twice in one VM", "cluster: a\nservices:\n" + vm("x", uuidA, fileA+fileA),
		[]string{"d:4:17: vm:x has the disk file:/srv/a.img twice"}},
	{"alias", "cluster: &c a\ntiming: *c\n",
		[]string{"d:2:9: timing must be text, not an alias (*c); write the value out"}},
}

func TestFaults(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := Parse("d", []byte(c.text), readFile, nil)
			if err == nil {
				t.Fatalf("no fault was found; parsed %+v", parsed.Document)
			}
			if got, want := err.Error(), strings.Join(c.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if parsed.Text != "" || parsed.Document.Cluster != "" {
				t.Error("a document with a fault was taken in")
			}
		})
	}
}

func TestDisksThatMayBeInTwoServices(t *testing.T) {
	for name, disks := range map[string][2]string{
		"shareable in both": {sharedA, sharedA},
		"read only in one":  {fileA, readA},
		"different disks":   {fileA, strings.Replace(fileA, "a.img", "b.img", 1)},
		"no disk in a drive": {"<disk type='file' device='cdrom'/>",
			"<disk type='file' device='floppy'><source file=''/></disk>"},
		"same CD in two": {"<disk type='file' device='cdrom'><source file='/x.iso'/></disk>",
			"<disk type='file' device='cdrom'><source file='/x.iso'/></disk>"},
		"same folder": {folder, folder},
		"the backing is only": {fileA,
			"<disk type='file'><source file='/srv/b.img'/><backingStore><source file='/srv/a.img'/></backingStore></disk>"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("d", []byte("cluster: a\nservices:\n"+vm("x", uuidA, disks[0])+vm("y", uuidB, disks[1])), nil,
				nil); err != nil {
				t.Error(err)
			}
		})
	}
}
