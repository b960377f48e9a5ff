package resources

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func named(kind, name string, children ...Resource) Resource {
	return Resource{Type: kind, Name: name, Children: children}
}

func names(order []Placed) string {
	var list []string
	for _, p := range order {
		list = append(list, p.Resource.Name)
	}
	return strings.Join(list, " ")
}

// The table is rgmanager's (service.sh, its <child> rules).
func TestSiblingsHaveRgmanagersOrder(t *testing.T) {
	written := []Resource{
		named("rgmanager:apache", "apache"), named("rgmanager:script", "script"), named("rgmanager:ip", "ip1"),
		named("rgmanager:mysql", "mysql"),
		named("rgmanager:ip", "ip2"), named("rgmanager:fs", "fs"), named("rgmanager:lvm", "lvm"),
		named("rgmanager:nfsclient", "client"), named("rgmanager:nfsexport", "export"),
		named("rgmanager:smb", "smb"), named("rgmanager:netfs", "netfs"), named("rgmanager:clusterfs", "clusterfs"),
	}
	if got, want := names(StartOrder(written)),
		"lvm fs clusterfs netfs export client ip1 ip2 smb script apache mysql"; got != want {
		t.Errorf("start: %s", got)
	}
	if got, want := names(StopOrder(written)),
		"mysql apache script ip2 ip1 smb client export netfs clusterfs fs lvm"; got != want {
		t.Errorf("stop: %s", got)
	}
}

func TestOCFAgentsHaveTheirForerunnersOrder(t *testing.T) {
	written := []Resource{
		named("systemd:shop.service", "unit"), named("ocf:heartbeat:nginx", "nginx"), named("ocf:heartbeat:IPaddr2", "ip"),
		{Type: "ocf:heartbeat:Filesystem", Name: "nfs", Parameters: map[string]string{"fstype": "nfs"}},
		named("ocf:heartbeat:Filesystem", "fs", named("ocf:heartbeat:exportfs", "export"),
			named("ocf:heartbeat:Filesystem", "inner")), named("ocf:heartbeat:LVM-activate", "lvm"),
	}
	if got, want := names(StartOrder(written)), "lvm fs inner export nfs ip unit nginx"; got != want {
		t.Errorf("start: %s", got)
	}
	if got, want := names(StopOrder(written)), "nginx unit ip nfs export inner fs lvm"; got != want {
		t.Errorf("stop: %s", got)
	}
}

func drawTree(t *rapid.T, depth int) []Resource {
	var tree []Resource
	for i := range rapid.IntRange(0, 3).Draw(t, "siblings") {
		r := named(rapid.SampledFrom([]string{"rgmanager:fs", "rgmanager:ip", "lsb:x", "ocf:p:other"}).Draw(t, "type"),
			string(rune('a'+i)))
		r.Parameters = map[string]string{"p": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
		if depth > 0 {
			r.Children = drawTree(t, depth-1)
		}
		tree = append(tree, r)
	}
	return tree
}

func TestParentsStartFirstAndStopLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, 2)
		up, down := StartOrder(tree), StopOrder(tree)
		if len(up) != len(down) {
			t.Fatalf("%d start, %d stop", len(up), len(down))
		}
		for i, p := range up {
			for _, later := range up[:i] {
				if Below(later.Path, p.Path) && later.Path != p.Path {
					t.Fatalf("%s starts before %s", later.Path, p.Path)
				}
			}
		}
		for i, p := range down {
			for _, later := range down[i+1:] {
				if Below(later.Path, p.Path) && later.Path != p.Path {
					t.Fatalf("%s stops after %s", later.Path, p.Path)
				}
			}
		}
	})
}

// TestADeltaLeadsFromTheOldTreeToTheNew follows what runs the dumb way: as a
// set of places with their parameters.
func TestADeltaLeadsFromTheOldTreeToTheNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := drawTree(t, 2), drawTree(t, 2)
		reloads := rapid.Bool().Draw(t, "reloads")
		change := Delta(old, new, func(string, string) bool { return reloads })
		running := map[string]string{}
		for _, p := range StartOrder(old) {
			running[p.Path] = p.Resource.Parameters["p"]
		}
		for _, p := range change.Stop {
			for path := range running {
				if path != p.Path && Below(path, p.Path) {
					t.Fatalf("%s is stopped under %s", p.Path, path)
				}
			}
			delete(running, p.Path)
		}
		for _, p := range change.Reload {
			if _, runs := running[p.Path]; !runs || !reloads {
				t.Fatalf("%s is reloaded and does not run, or cannot", p.Path)
			}
			running[p.Path] = p.Resource.Parameters["p"]
		}
		for _, p := range change.Start {
			if _, runs := running[p.Path]; runs {
				t.Fatalf("%s is started twice", p.Path)
			}
			if above := strings.LastIndex(p.Path, "/"); above > 0 && running[p.Path[:above]] == "" {
				t.Fatalf("%s starts without what is above it", p.Path)
			}
			running[p.Path] = p.Resource.Parameters["p"]
		}
		for _, p := range StartOrder(new) {
			if running[p.Path] != p.Resource.Parameters["p"] {
				t.Fatalf("%s runs as %q", p.Path, running[p.Path])
			}
			delete(running, p.Path)
		}
		if len(running) > 0 {
			t.Fatalf("still running: %v", running)
		}
		if !Delta(new, new, nil).None() {
			t.Fatal("the same tree changes something")
		}
	})
}

func TestLimitsAndChecksTouchNothingThatRuns(t *testing.T) {
	old := []Resource{named("lsb:x", "a")}
	new := slices.Clone(old)
	new[0].Subtree, new[0].StartTimeout, new[0].Checks = NonCritical, 5, []ResourceCheck{{Interval: 7}}
	if change := Delta(old, new, nil); !change.None() {
		t.Errorf("%+v", change)
	}
}

func TestInheritance(t *testing.T) {
	tree := Inherit("shop", []Resource{{
		Type: "rgmanager:fs", Name: "data", Parameters: map[string]string{"mountpoint": "/srv", "device": "/dev/x"},
		Children: []Resource{{Type: "rgmanager:nfsexport", Name: "e", Children: []Resource{
			{Type: "rgmanager:nfsclient", Name: "c"},
			{Type: "rgmanager:nfsclient", Name: "own", Parameters: map[string]string{"path": "/other"}},
		}}},
	}})
	export := tree[0].Children[0]
	if export.Parameters["path"] != "/srv" || export.Parameters["device"] != "/dev/x" {
		t.Errorf("export: %v", export.Parameters)
	}
	client, own := export.Children[0], export.Children[1]
	if client.Parameters["path"] != "/srv" || client.Parameters["svcname"] != "shop" ||
		own.Parameters["path"] != "/other" {
		t.Errorf("clients: %v %v", client.Parameters, own.Parameters)
	}
}

func TestDisksOfTrees(t *testing.T) {
	fs := func(parameters map[string]string) Resource {
		return Resource{Type: "ocf:heartbeat:Filesystem", Name: parameters["device"], Parameters: parameters}
	}
	disks := TreeDisks([]Resource{
		fs(map[string]string{"device": "/dev/vg/data", "fstype": "ext4"}),
		fs(map[string]string{"device": "/srv/image", "fstype": "ext4", "options": "loop,ro"}),
		fs(map[string]string{"device": "/srv/a", "options": "bind"}),
		fs(map[string]string{"device": "host:/export", "fstype": "nfs"}),
		fs(map[string]string{"device": "/dev/shared", "fstype": "gfs2"}),
		{Type: "ocf:heartbeat:LVM-activate", Parameters: map[string]string{"vgname": "vg"}},
		{Type: "rgmanager:lvm", Parameters: map[string]string{"vg_name": "old", "lv_name": "l"}},
	})
	want := []Disk{{Identity: "block:/dev/shared", Shared: true}, {Identity: "block:/dev/vg/data"},
		{Identity: "file:/srv/image", ReadOnly: true}, {Identity: "lvm:old/l"}, {Identity: "lvm:vg"}}
	if !slices.Equal(disks, want) {
		t.Errorf("%+v", disks)
	}
}

func TestTypesNameAgents(t *testing.T) {
	for kind, good := range map[string]bool{
		"ocf:heartbeat:IPaddr2": true, "rgmanager:postgres-8": true, "systemd:nginx": true,
		"systemd:getty@tty1.service": true, "lsb:foo": true, "lsb:/opt/app/init": true,
		"ocf:IPaddr2": false, "ocf:a:b/c": false, "ocf:..:x": false, "lsb:../x": false, "lsb:/a/../x": false,
		"rgmanager:a b": false, "vm:x": false, "": false, "lsb:/": false,
	} {
		if GoodType(kind) != good {
			t.Errorf("%q: %v", kind, !good)
		}
	}
}
