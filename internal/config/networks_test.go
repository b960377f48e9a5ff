package config

import (
	"slices"
	"strings"
	"testing"
)

const bridged = `cluster: alpha
networks:
  blue: {vlan: 20}
  storage: {vlan: 30, bridge: br0, mtu: 1400}
services:
  vm:web:
    networks: [storage]
    definition: |
      <domain type="kvm"><name>web</name><uuid>5f5d4b6a-0000-4000-8000-000000000001</uuid>
      <devices><interface type="bridge"><source bridge="br-blue"/></interface>
      <interface type="bridge"><source bridge="other"/></interface></devices></domain>
  service:nfs:
    networks: [blue]
    resources: [{type: "ocf:heartbeat:IPaddr2", parameters: {ip: 10.1.2.3}}]
`

// TestNetworksOfServices: a VM's are those of its bridges, and those that it names.
func TestNetworksOfServices(t *testing.T) {
	parsed, err := Parse("c.yaml", []byte(bridged), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for service, want := range map[string][]string{"vm:web": {"blue", "storage"}, "service:nfs": {"blue"}} {
		if got := parsed.Document.Services[service].Networks; !slices.Equal(got, want) {
			t.Errorf("%s is attached to %v, want %v", service, got, want)
		}
	}
	text := Print(parsed.Document)
	for _, want := range []string{"network blue, VLAN 20 over vxlan, bridge br-blue",
		"network storage, VLAN 30 over vxlan, bridge br0, MTU 1400", "  networks blue, storage"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	without, err := Parse("c.yaml", []byte(strings.ReplaceAll(bridged, "vlan: 20", "vlan: 21")), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "network blue: it changes from VLAN 20 over vxlan, bridge br-blue to VLAN 21 over vxlan, bridge br-blue"
	if diff := Diff(parsed.Document, without.Document); !slices.Equal(diff, []string{want}) {
		t.Errorf("the change is told as %q", diff)
	}
}

func TestBadNetworks(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"twice one VLAN", "vlan: 30", "vlan: 20",
			"c.yaml:4:3: network storage has vlan 20, which network blue (line 3) has too"},
		{"twice one bridge", "bridge: br0", "bridge: br-blue", "network storage has bridge br-blue, which network blue"},
		{"no VLAN", "{vlan: 20}", "{}", `network blue has no "vlan"`},
		{"VLAN out of range", "vlan: 20", "vlan: 4095", "4095"},
		{"another way", "{vlan: 20}", "{vlan: 20, over: gre}", "gre"},
		{"not a name of an interface", "bridge: br0", `bridge: "br 0"`, "an interface has at most 15 letters"},
		{"the loopback", "bridge: br0", "bridge: lo", "c.yaml:4:3: network storage has bridge lo, a name that"},
		{"settings of all", "bridge: br0", "bridge: all", "network storage has bridge all, a name that"},
		{"settings of new ones", "bridge: br0", "bridge: default", "network storage has bridge default, a name that"},
		{"our device", "bridge: br0", "bridge: clvx20", "network storage has bridge clvx20, a name that"},
		{"our device before its name", "bridge: br0", "bridge: clusterd-new", "has bridge clusterd-new, a name that"},
		{"a name too long for its bridge", "blue: {", "a-long-network: {", `needs "bridge"`},
		{"not declared", "[storage]", "[storag]", `vm:web names network "storag", which is not declared under networks.`},
		{"named twice", "[storage]", "[storage, storage]", "twice"},
		{"too small", "mtu: 1400", "mtu: 600", "mtu of network storage"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("c.yaml", []byte(strings.ReplaceAll(bridged, tc.old, tc.new)), nil, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
