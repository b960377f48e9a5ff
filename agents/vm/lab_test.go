//go:build cgo

package vm

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/lab/blockserver"
)

// TestInTheLab runs the TestReal tests of this file's package where they can
// tell something: on two hosts with libvirtds of their own, with a disk that
// has no image lock and whose server records who wrote.
func TestInTheLab(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	l := lab.ForTest(t, ctx, lab.Options{Prefix: "avm", Hosts: 2})
	guest := lab.Guest{Name: "web", Number: 1, MemoryMiB: 64, DirtyKiBPerSecond: 8000}
	shared := l.SharedDirectory()
	putFile(t, filepath.Join(shared, "web.xml"), []byte(lab.GuestXML(guest)), 0o644)
	binary, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	text, err := io.ReadAll(binary)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(shared, "vm.test"), text, 0o755)
	makeKeys(t, filepath.Join(shared, "keys"))

	one, two := l.Hosts[0], l.Hosts[1]
	environment := []string{"CLUSTERD_TEST_KEYS=/srv/cluster/keys"}
	forwarder := lab.Service{Name: "forward", Argv: []string{"/srv/cluster/vm.test"},
		Environment: append(environment, "CLUSTERD_TEST_FORWARD=:7441",
			"CLUSTERD_TEST_GUEST="+specOf(t, lab.GuestXML(guest)).UUID)}
	if err := two.StartService(ctx, forwarder); err != nil {
		t.Fatal(err)
	}
	inHost := func(tests, not string) {
		t.Helper()
		argv := append([]string{"env"}, environment...)
		argv = append(argv, "CLUSTERD_LAB=", "CLUSTERD_TEST_DEFINITION=/srv/cluster/web.xml",
			"CLUSTERD_TEST_PEER=10.99.0.2:7441",
			"/srv/cluster/vm.test", "-test.v", "-test.run", tests, "-test.skip", not)
		said, err := one.Command(ctx, argv...).CombinedOutput()
		t.Logf("%s", said)
		if err != nil {
			log, _ := os.ReadFile(two.ServiceLog(forwarder.Name))
			t.Fatalf("in %s: %v; the forwarder of %s: %s", one.Name, err, two.Name, log)
		}
	}
	// A part of them can be run alone.
	inHost(cmp.Or(os.Getenv("CLUSTERD_TEST_REAL"), "^TestReal"), "Twice|InItsOwnProcess")
	runs, err := l.Writers(guest.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := blockserver.CheckSingleWriter(forgiveStalePages(t, runs)); err != nil {
		t.Fatal(err)
	}
	// This one has two writers on purpose.
	if said, err := two.Run(ctx, "virsh", "-q", "create", "/srv/cluster/web.xml"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	inHost("^TestRealRunningTwice$", "^$")
}

// staleTicks is what a guest's counter may fall back in a migration here: QEMU
// without KVM sometimes misses that a page was dirtied while the last pass
// began, and the guest goes on from a page some 100 ms old. That is no second
// writer: the source writes nothing after the target's first write, which the
// check that follows still looks at.
const staleTicks = 4

func forgiveStalePages(t *testing.T, runs []blockserver.Write) []blockserver.Write {
	t.Helper()
	for i := 1; i < len(runs); i++ {
		before, run := runs[i-1], &runs[i]
		if run.Nonce == before.Nonce && run.FirstTick <= before.LastTick && before.LastTick-run.FirstTick < staleTicks &&
			run.At.After(before.Until) {
			t.Logf("QEMU lost a page of the guest's last moments: %v, then %v", before, *run)
			run.FirstTick = before.LastTick + 1
		}
	}
	return runs
}

func putFile(t *testing.T, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
}

// makeKeys makes the one certificate that both test forwarders show.
func makeKeys(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		0o600)
	putFile(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
}
