package nodefile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNodeDefaults(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "comments only": "# name: node1\n\n"} {
		got, err := Parse("node.yaml", []byte(text), "node1.example.com")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := Node{Name: "node1", Port: 7440, TunnelPort: 7441, HeartbeatPort: 7442, GossipPort: 7443,
			DataDir:     "/var/lib/clusterd",
			SocketGroup: "clusterd", SocketRole: "viewer",
			RunDir: "/run/clusterd", Hypervisor: "qemu:///system", OCFRoot: "/usr/lib/ocf", HooksDir: "/etc/libvirt/hooks",
			HardwareUUIDFile: "/sys/class/dmi/id/product_uuid", LogLevel: "info"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNodeSettings(t *testing.T) {
	text := "name: node7\naddress: 10.99.0.7\naddresses: [10.98.0.7, node7.lan]\nport: 9000\nsimulate: {dir: " +
		"/tmp/simulated/}\nlog_level: debug\nwitness: true\nrun_dir: /run/x\n"
	got, err := Parse("node.yaml", []byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen(got.Port) != "10.99.0.7:9000" || got.SocketPath() != "/run/x/clusterd.sock" || !got.Witness ||
		got.LogLevel != "debug" {
		t.Errorf("got %+v", got)
	}
	if got.Simulate == nil || got.Simulate.Dir != "/tmp/simulated" || len(got.Addresses) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestNodeFaults(t *testing.T) {
	text := "nam: x\nadress: y\naddress: 10.0.0.1:7440\nport: 7443\ndata_dir: var\nsimulate: {}\nlog_level: loud\n"
	_, err := Parse("n", []byte(text), "host")
	want := strings.Join([]string{
		"n: port and gossip_port are both tcp port 7443",
		`n:1:1: the node's settings has no key "nam". Did you mean 'name'?`,
		`n:2:1: the node's settings has no key "adress". Did you mean 'address'?`,
		`n:3:10: address is "10.0.0.1:7440"; give an IP address or a host name, without a port`,
		`n:5:11: data_dir is "var"; give a path that starts with /`,
		"n:6:11: simulate has no dir; give the folder that all simulated nodes share",
		`n:7:12: log_level is "loud"; it must be one of debug, info, warn, error.`,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if _, err := Parse("n", nil, ""); err == nil ||
		err.Error() != "n: the host has no name that could be the node's; add name: NAME" {
		t.Errorf("got %v", err)
	}
}

func TestWhereMetricsAreServed(t *testing.T) {
	for _, right := range []string{"127.0.0.1:9744", "'[::1]:9744'", "10.0.0.1:9744"} {
		got, err := Parse("n", []byte("metrics: {listen: "+right+"}\n"), "host")
		if err != nil || got.Metrics != strings.Trim(right, "'") {
			t.Errorf("%s: %q, %v", right, got.Metrics, err)
		}
	}
	for wrong, want := range map[string]string{
		"{listen: localhost:9744}": `the listen of metrics is "localhost:9744"; give an IP address and a port, ` +
			"such as 127.0.0.1:9744",
		"{listen: 127.0.0.1}":      "give an IP address and a port",
		"{listen: 127.0.0.1:0}":    "give an IP address and a port",
		"{listen: 127.0.0.1:7440}": "port and metrics are both tcp port 7440",
		"{port: 9744}":             `has no key "port"`,
	} {
		if _, err := Parse("n", []byte("metrics: "+wrong+"\n"), "host"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", wrong, err, want)
		}
	}
}

func TestLoadingWithoutAFileIsTheDefaults(t *testing.T) {
	folder := t.TempDir()
	if _, err := Load(filepath.Join(folder, "node.yaml")); err != nil {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(folder, "other.yaml")
	if err := os.WriteFile(path, []byte("name: node9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(path); err != nil || got.Name != "node9" {
		t.Errorf("got %v, %v", got, err)
	}
}
