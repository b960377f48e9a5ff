//go:build cgo

package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

func TestAStartWithoutAConnectionWasNotSent(t *testing.T) {
	const uuid = "6f1c0a52-4c5e-4a77-9d4e-0f6a3f0b9a01"
	definition := "<domain type='qemu'><name>a</name><uuid>" + uuid + "</uuid></domain>"
	sum := sha256.Sum256([]byte(definition))
	uri := "qemu+unix:///system?socket=" + t.TempDir() + "/none"
	a, err := New(Options{Node: "node1", StateDir: t.TempDir(), URI: uri})
	if err != nil {
		t.Skip("libvirt is not installed: ", err)
	}
	defer func() { _ = a.Close() }()
	spec := resources.Spec{Name: "vm:a", UUID: uuid, Definition: hex.EncodeToString(sum[:])}
	start := agents.Act{Spec: spec, Definition: definition, ID: "1.2.0"}
	if got := a.Start(context.Background(), start); !got.Unsent || got.OK || got.Source != agents.Unknown {
		t.Errorf("a start without a connection ended with %+v; want it unsent", got)
	}
	if _, err := a.journal.Begin(uuid, proof.Create, "1.1.0", proof.Process{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := a.Start(context.Background(), start); got.Unsent {
		t.Errorf("a start beside an open call counts as unsent: %+v", got)
	}
}
