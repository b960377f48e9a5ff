package doorkeeper

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	managedUUID = "77777777-0000-4000-8000-000000000001"
	otherUUID   = "77777777-0000-4000-8000-000000000002"
)

func definition(uuid string) string {
	return "<domain type='qemu' id='1'><name>web</name><uuid>" + strings.ToUpper(uuid) + "</uuid></domain>"
}

func door(t *testing.T) Door {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "door")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := Door{Socket: filepath.Join(dir, "sock"), Managed: filepath.Join(dir, "managed")}
	if err := WriteManaged(d.Managed, []string{managedUUID}); err != nil {
		t.Fatal(err)
	}
	return d
}

func daemon(t *testing.T, d Door, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", d.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

func begin(operation string) []string { return []string{"web", operation, "begin", "-"} }

func TestADeadDaemonRefusesManagedVMsOnly(t *testing.T) {
	d := door(t)
	for _, operation := range []string{"prepare", "migrate"} {
		allow, reason := d.Check(context.Background(), begin(operation), strings.NewReader(definition(managedUUID)))
		if allow || !strings.Contains(reason, "does not answer") {
			t.Errorf("%s of a managed VM: %t %q", operation, allow, reason)
		}
		if allow, reason := d.Check(context.Background(), begin(operation),
			strings.NewReader(definition(otherUUID))); !allow {
			t.Errorf("%s of a VM that nobody manages: %q", operation, reason)
		}
	}
	for _, operation := range []string{"start", "started", "stopped", "release", "reconnect"} {
		if allow, reason := d.Check(context.Background(), begin(operation),
			strings.NewReader(definition(managedUUID))); !allow {
			t.Errorf("%s: %q", operation, reason)
		}
	}
	if allow, _ := d.Check(context.Background(), begin("prepare"), strings.NewReader("not a definition")); allow {
		t.Error("what cannot be read passed on a host with managed VMs")
	}
	d.Managed += ".never"
	if allow, reason := d.Check(context.Background(), begin("prepare"),
		strings.NewReader(definition(managedUUID))); !allow {
		t.Errorf("a host that never managed anything: %q", reason)
	}
}

func TestTheDaemonDecides(t *testing.T) {
	d := door(t)
	open := true
	daemon(t, d, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/door" || r.URL.Query().Get("uuid") != managedUUID ||
			r.URL.Query().Get("operation") != "prepare" {
			t.Errorf("asked %s", r.URL)
		}
		if open {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"code":"no_intent","message":"vm:web belongs on node2"}`))
	})
	if allow, reason := d.Check(context.Background(), begin("prepare"),
		strings.NewReader(definition(managedUUID))); !allow {
		t.Fatal(reason)
	}
	open = false
	allow, reason := d.Check(context.Background(), begin("prepare"), strings.NewReader(definition(managedUUID)))
	if allow || !strings.Contains(reason, "vm:web belongs on node2") {
		t.Fatalf("%t %q", allow, reason)
	}
}

func TestInstall(t *testing.T) {
	hooks, d := t.TempDir(), door(t)
	binary := filepath.Join(t.TempDir(), "clusterd")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\nfor word; do printf '%s|' \"$word\"; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Installed(hooks, binary, d); err == nil {
		t.Fatal("found in an empty directory")
	}
	if restart, err := Install(hooks, binary, d, 9000000); err != nil || !restart {
		t.Fatalf("restart %t: %v", restart, err)
	}
	if restart, err := Install(hooks, binary, d, 9000000); err != nil || restart {
		t.Fatalf("installed again: restart %t: %v", restart, err)
	}
	if err := Installed(hooks, binary, d); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(filepath.Join(hooks, "qemu"), "a b", "prepare", "$(x)").CombinedOutput()
	want := "--socket|" + d.Socket + "|--managed|" + d.Managed + "|--|a b|prepare|$(x)|"
	if err != nil || string(said) != want {
		t.Fatalf("the hook passed on %q, not %q: %v", said, want, err)
	}
	if _, err := Install(hooks, binary+" $x", d, 9000000); err == nil {
		t.Fatal("a path that the shell would expand was taken")
	}
}

func TestSomebodyElsesHookIsLeftAlone(t *testing.T) {
	hooks, d := t.TempDir(), door(t)
	other := filepath.Join(hooks, "qemu")
	if err := os.WriteFile(other, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(hooks, "/usr/sbin/clusterd", d, 6004000); !errors.Is(err, ErrOtherHook) {
		t.Fatalf("an old libvirt: %v", err)
	}
	if _, err := Install(hooks, "/usr/sbin/clusterd", d, 9000000); err != nil {
		t.Fatal(err)
	}
	if err := Installed(hooks, "/usr/sbin/clusterd", d); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || !strings.HasSuffix(string(text), "exit 0\n") {
		t.Fatalf("the other hook reads %q now: %v", text, err)
	}
}
