package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/resources"
)

const shop = `cluster: a
services:
  service:shop:
    resources:
      - type: ocf:heartbeat:Filesystem
        name: data
        parameters: {device: /dev/x, directory: /srv/shop, fstype: ext4, run_fsck: no}
        subtree: independent
        max_restarts: 3
        restart_expire_time: 5m
        status: [{depth: 10, interval: 30s, timeout: 20s}]
        resources:
          - {ref: web-ip, subtree: non-critical}
          - {type: "ocf:heartbeat:exportfs", parameters: {fsid: 7}}
resources:
  web-ip: {type: "ocf:heartbeat:IPaddr2", parameters: {ip: 10.0.0.5, cidr_netmask: 24}, stop_timeout: 7s}
`

func TestATreeIsReadWhole(t *testing.T) {
	spec := parse(t, []byte(shop)).Document.Services["service:shop"]
	want := []resources.Resource{{
		Type: "ocf:heartbeat:Filesystem", Name: "data", Subtree: resources.Independent, MaxRestarts: 3,
		RestartExpire: 5 * 60e9,
		Parameters:    map[string]string{"device": "/dev/x", "directory": "/srv/shop", "fstype": "ext4", "run_fsck": "no"},
		Checks:        []resources.ResourceCheck{{Depth: 10, Interval: 30e9, Timeout: 20e9}},
		Children: []resources.Resource{
			{Type: "ocf:heartbeat:IPaddr2", Name: "web-ip", Shared: true, Subtree: resources.NonCritical, StopTimeout: 7e9,
				Parameters: map[string]string{"ip": "10.0.0.5", "cidr_netmask": "24"}},
			{Type: "ocf:heartbeat:exportfs", Name: "shop-exportfs",
				Parameters: map[string]string{"fsid": "7", "directory": "/srv/shop"}},
		},
	}}
	if difference := cmp.Diff(want, spec.Tree); difference != "" {
		t.Error(difference)
	}
	if spec.UUID != resources.ServiceUUID("service:shop") || len(spec.Disks) != 1 ||
		spec.Disks[0].Identity != "block:/dev/x" {
		t.Errorf("UUID %s, disks %v", spec.UUID, spec.Disks)
	}
}

// What a start is given must be what was declared: the definition's blob is the
// tree, by the hash that the intent names.
func TestTheDefinitionOfAServiceIsItsTree(t *testing.T) {
	parsed := parse(t, []byte(shop))
	spec := parsed.Document.Services["service:shop"]
	tree, err := resources.ReadTree(parsed.Blobs[spec.Definition])
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(spec.Tree, tree); difference != "" {
		t.Error(difference)
	}
	// Comments and the order of keys are the administrator's.
	again := parse(t, []byte(strings.Replace(shop, "{device: /dev/x, directory: /srv/shop,",
		"{directory: /srv/shop, device: /dev/x,", 1)))
	if again.Document.Services["service:shop"].Definition != spec.Definition {
		t.Error("the same tree has another definition")
	}
}

func TestTreeFaultsHaveTheirPlace(t *testing.T) {
	head := "cluster: a\nservices:\n  service:s:\n    resources:\n"
	for _, c := range []struct{ name, text, want string }{
		{"no type", head + "      - {name: x}\n",
			`d:5:9: a resource of service:s has neither type nor ref; write type: "ocf:heartbeat:IPaddr2", or ref: NAME of ` +
				`one declared under resources`},
		{"bad type", head + "      - {type: IPaddr2}\n",
			`d:5:16: the type of a resource of service:s is "IPaddr2"; write ocf:PROVIDER:AGENT, rgmanager:AGENT, ` +
				`systemd:UNIT, lsb:SCRIPT or lsb:/PATH/TO/SCRIPT`},
		{"a path that climbs", head + "      - {type: \"ocf:..:sh\"}\n",
			`d:5:16: the type of a resource of service:s is "ocf:..:sh"; write ocf:PROVIDER:AGENT, rgmanager:AGENT, ` +
				`systemd:UNIT, lsb:SCRIPT or lsb:/PATH/TO/SCRIPT`},
		{"unknown key", head + "      - {type: \"lsb:x\", paramters: {}}\n",
			`d:5:25: a resource of service:s has no key "paramters". Did you mean 'parameters'?`},
		{"twins", head + "      - type: lsb:x\n        resources: [{type: \"lsb:x\"}]\n",
			"d:6:21: lsb:x s-x appears twice in this service; give each resource of a type its own name"},
		{"unknown ref", "resources: {web-ip: {type: \"lsb:x\"}}\n" + head + "      - {ref: web-pi}\n",
			`d:6:15: service:s refers to resource "web-pi", which is not declared under resources. Did you mean 'web-ip'? ` +
				`Resources that stand in a service are private to it`},
		{"ref with parameters", "resources: {ip: {type: \"lsb:x\"}}\n" + head + "      - {ref: ip, parameters: {a: b}}\n",
			"d:6:15: a reference of service:s to ip has type, name or parameters of its own; they belong to the " +
				"declaration under resources"},
		{"an address twice", "resources: {ip: {type: \"rgmanager:ip\", parameters: {address: 10.0.0.5}}}\n" + head +
			"      - {ref: ip}\n  service:t: {resources: [{ref: ip}]}\n",
			"d:7:33: service:t refers to resource ip, which service:s (line 6) has already; one of type rgmanager:ip can " +
				"be in one place only"},
		{"export below address", head + "      - {type: \"rgmanager:ip\", resources: [{type: \"rgmanager:nfsclient\"}]}\n",
			"d:5:44: rgmanager:nfsclient s-nfsclient cannot be below an address: nest the address below the " +
				"export, or beside it"},
		{"one name in two services", head + "      - {type: \"lsb:x\", name: y}\n  service:t: {resources: [{type: " +
			"\"lsb:x\", name: y}]}\n",
			"d:6:27: lsb:x y of service:t has the name of one of service:s (line 5); resources of one type need names of " +
				"their own, because agents keep files by them"},
		{"half a limit", head + "      - {type: \"lsb:x\", subtree: independent, max_restarts: 3}\n",
			"d:5:9: lsb:x s-x needs max_restarts and restart_expire_time both, or neither"},
		{"limit without subtree", head + "      - {type: \"lsb:x\", max_restarts: 3, restart_expire_time: 1m}\n",
			"d:5:9: lsb:x s-x has max_restarts, which counts for subtree independent or non-critical only"},
		{"check without interval", head + "      - {type: \"lsb:x\", status: [{depth: 10}]}\n",
			"d:5:34: a status check has no interval; write for example interval: 30s, or 0s to switch this depth off"},
		{"definition of a service", "cluster: a\nservices:\n  service:s: {definition: x}\n",
			`d:3:15: service service:s has no key "definition".`},
		{"a VM's disk (law L9)", "cluster: a\nservices:\n" + vm("x", uuidA,
			"<disk type='block'><source dev='/dev/x'/></disk>") +
			"  service:s: {resources: [{type: \"ocf:heartbeat:Filesystem\", parameters: {device: /dev/x, fstype: ext4}}]}\n",
			"d:7:3: service:s could write to the disk block:/dev/x, and so could vm:x (line 4): give each service its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.text
			if !strings.HasPrefix(text, "cluster") {
				text = strings.Replace(c.text, "cluster: a\n", "", 1) + "cluster: a\n"
				c.want = strings.NewReplacer("d:6:", "d:5:", "d:7:", "d:6:", "(line 6)", "(line 5)").Replace(c.want)
			}
			if _, err := Parse("d", []byte(text), nil, nil); err == nil || err.Error() != c.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

func TestTheExampleOfServicesIsValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/operators/services.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the documentation has no example")
	}
	parsed := parse(t, []byte(example))
	if order := resources.StartOrder(parsed.Document.Services["service:shop"].Tree); len(order) != 3 {
		t.Errorf("the example starts %d resources", len(order))
	}
}

func TestATreeThatChangesIsTold(t *testing.T) {
	old := parse(t, []byte(shop)).Document
	new := parse(t, []byte(strings.NewReplacer("10.0.0.5", "10.0.0.6", "max_restarts: 3", "max_restarts: 4").Replace(
		shop))).Document
	want := []string{"service service:shop: ocf:heartbeat:IPaddr2 web-ip: ip=10.0.0.5 becomes ip=10.0.0.6, " +
		"so it is restarted unless its agent reloads"}
	if difference := cmp.Diff(want, Diff(old, new)); difference != "" {
		t.Error(difference)
	}
	if text := Print(old); !strings.Contains(text,
		"    ocf:heartbeat:IPaddr2 web-ip (shared), non-critical: cidr_netmask=24 ip=10.0.0.5\n") {
		t.Errorf("printed:\n%s", text)
	}
}

// A word that would promise what the cluster does not do is refused.
func TestStorageAloneReleasesNoServiceMadeOfResources(t *testing.T) {
	text := strings.Replace(shop, "  service:shop:\n", "  service:shop:\n    storage_only: true\n", 1)
	_, err := Parse("cluster.yaml", []byte(text), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "service service:shop: storage_only is for VMs") {
		t.Error(err)
	}
}

// TestRulesOfAServiceMadeOfResourcesAreListed: they count for it as for a VM.
func TestRulesOfAServiceMadeOfResourcesAreListed(t *testing.T) {
	text := strings.Replace(shop, "  service:shop:\n", "  service:shop:\n    exclusive: true\n    tier: 2\n", 1)
	if listed := Print(parse(t, []byte(text)).Document); !strings.Contains(listed, "\n  exclusive\n  tier 2\n") {
		t.Errorf("listed:\n%s", listed)
	}
}
