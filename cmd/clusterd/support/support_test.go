package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/recorder"
	"github.com/clusterd/clusterd/resources"
)

const (
	bmcPassword     = `pass"word & <more>`
	consolePassword = "console-password"
	parameterSecret = "parameter-secret"
	keyText         = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
	pageKeyText     = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPage\n-----END PRIVATE KEY-----\n"
	dataKey         = "Z29zc2lwLWtleS1vZi0zMi1ieXRlcy1pbi1iYXNlNjQ="
)

// leaks are pieces of each secret as they could stand in a file.
var leaks = []string{
	bmcPassword, `pass\"word`, "pass&#34;word", consolePassword, "MIGHAgEAMBMGByqGSM49", dataKey, "YXV0aG9yaXR5LWtleQ==",
	"token-hash", "old-password", "option-secret", parameterSecret, "alert-secret",
	"MC4CAQAwBQYDK2VwBCIEIPage",
}

func secretState() *cluster.State {
	state := &cluster.State{Level: 1, Cluster: "office", Secrets: cluster.Secrets{AuthorityKey: []byte("authority-key")}}
	state.Config.Text = "password: " + bmcPassword
	state.Document.Devices = map[string]fence.Device{
		"bmc1": {Name: "bmc1", Password: bmcPassword, Options: map[string]string{"x": "option-secret"}}}
	text, hash := resources.TreeDefinition([]resources.Resource{{
		Type: "ocf:heartbeat:mysql", Name: "db",
		Parameters: map[string]string{"test_passwd": parameterSecret, "binary": "/x"},
	}})
	tree, _ := resources.ReadTree(text)
	state.Blobs.Set(hash, text)
	state.Document.Services = map[string]resources.Spec{"service:shop": {Name: "service:shop", Tree: tree}}
	state.Services.Set("service:shop", cluster.Service{Spec: state.Document.Services["service:shop"]})
	state.Tokens.Set("t", cluster.Token{Hash: "token-hash"})
	state.Blobs.Set("abcd", "<domain><graphics passwd='"+consolePassword+"'/></domain>")
	return state
}

const documentInForce = `# old-password: ` + consolePassword + `
cluster: office
devices:
  bmc1: {driver: ipmi, address: 10.0.0.1, password: "********", options: {x: option-secret}} # old-password
alerts:
  pager: {program: /usr/bin/page, arguments: [--team, alert-secret]}
services:
  service:shop:
    resources: [{type: "ocf:heartbeat:mysql", parameters: {test_passwd: ` + parameterSecret + `, binary: /x}}]
  vm:web:
    definition: |
      <domain><graphics passwd='` + consolePassword + `'/></domain>
`

// newHost makes a node with keys and one record of a plan, and returns its settings file.
func newHost(t *testing.T) (settings, socket string) {
	t.Helper()
	folder := t.TempDir()
	data, run := filepath.Join(folder, "data"), filepath.Join(folder, "run")
	for path, text := range map[string]string{
		filepath.Join(folder, "node.yaml"):  fmt.Sprintf("name: node1\ndata_dir: %s\nrun_dir: %s\n", data, run),
		filepath.Join(data, "node.key"):     keyText,
		filepath.Join(data, "page.key"):     pageKeyText,
		filepath.Join(run, "not-a-daemon"):  "",
		filepath.Join(data, "plans", "old"): "no record",
	} {
		if err := pki.WriteSecret(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	r := recorder.New(recorder.Options{Folder: filepath.Join(data, "plans"), Node: "node1",
		Logger: slog.New(slog.DiscardHandler), Limits: recorder.Limits{Spare: 1}})
	r.Keep(&mind.Planned{State: secretState(),
		Decision: plan.Decision{Commands: []cluster.Command{cluster.NodeGone{Node: "node2"}}}}, time.Now())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ended)
	return filepath.Join(folder, "node.yaml"), filepath.Join(run, "clusterd.sock")
}

// pretendDaemon answers as a daemon does, with secrets where they could slip in.
func pretendDaemon(t *testing.T, socket string) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(value any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value) // A client that is gone is its test's failure.
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+api.PathStatus,
		answer(api.Status{Cluster: "office", Local: "node1", Index: 42,
			Warnings: []string{"the BMC refuses " + bmcPassword}}))
	words := "quoted " + bmcPassword + " and " + dataKey + " and MC4CAQAwBQYDK2VwBCIEIPage"
	told := cluster.Event{Index: 1, Subject: "node1", Why: message.Words(words)}
	mux.Handle("GET "+api.PathEvents, answer(api.Events{Events: []cluster.Event{told}}))
	mux.Handle("GET "+api.PathConfig, answer(api.Document{Version: 7, Text: documentInForce}))
	kept := membership.Backup{State: *secretState(), DataKey: []byte("gossip-key-of-32-bytes-in-base64")}
	key, err := pki.DataKeyOf(kept.DataKey)
	if err != nil {
		t.Fatal(err)
	}
	reference := fence.Reference("0123456789abcdef0123456789abcdef")
	kept.Secrets.Sealed = map[string][]byte{reference: key.Seal("secret "+reference, []byte(bmcPassword))}
	kept.Document.Devices["bmc1"] = fence.Device{Name: "bmc1", Password: fence.Secret(reference),
		Options: map[string]string{"x": "option-secret"}}
	mux.Handle("GET "+api.PathBackup, answer(kept))
	mux.Handle("GET "+api.PathFence, answer(api.FenceStatus{}))
	mux.HandleFunc("GET "+api.PathDoctor, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(api.Failure{Code: "broken", Message: "the doctor is ill"})
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
}

// bundleOf collects a bundle and returns its files; it fails when one holds a secret.
func bundleOf(t *testing.T, settings string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.tar.gz")
	app := &urfave.App{Name: "clusterd", Commands: []*urfave.Command{Command()},
		Flags: append([]urfave.Flag{&urfave.StringFlag{Name: "config"}}, cli.ConnectionFlags()...)}
	if err := app.Run([]string{"clusterd", "--config", settings, "support-bundle", out}); err != nil {
		t.Fatal(err)
	}
	information, err := os.Stat(out)
	if err != nil || information.Mode().Perm() != 0o600 {
		t.Fatalf("the bundle: %v, %v", information, err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(bytes.NewReader(unzipped(t, content))); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(text)
		if strings.HasSuffix(name, ".gz") {
			text = unzipped(t, text)
		}
		for _, leak := range leaks {
			if bytes.Contains(text, []byte(leak)) {
				t.Errorf("%s holds %q", name, leak)
			}
		}
	}
}

func unzipped(t *testing.T, packed []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestABundleOfALivingDaemonHoldsAllAndNoSecret(t *testing.T) {
	settings, socket := newHost(t)
	pretendDaemon(t, socket)
	files := bundleOf(t, settings)
	for name, want := range map[string]string{
		"about.txt": "cluster version", "settings.json": `"Name": "node1"`, "status.json": `"index": 42`,
		"status.txt": "office", "events.json": "quoted (blanked)",
		"events.txt": "quoted", "fence.json": "nodes", "document.yaml": "10.0.0.1",
		"state.json": `"password": "********"`, "definitions/abcd.xml": `passwd="(blanked)"`,
		"log-position.json": `"index": 42`, "doctor.json.missing.txt": "the doctor is ill",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, files[name])
		}
	}
	if count := countOf(files, "plans/"); count != 1 {
		t.Errorf("%d records of plans", count)
	}
}

func TestABundleWithoutADaemonHoldsWhatLiesHere(t *testing.T) {
	settings, _ := newHost(t)
	files := bundleOf(t, settings)
	for _, name := range []string{"status.json", "events.json", "doctor.json", "fence.json", "document.yaml",
		"state.json"} {
		if why := files[name+missingSuffix]; !strings.Contains(why, "ould not connect to clusterd") {
			t.Errorf("%s is missing because of %q", name, why)
		}
	}
	if why := files["log-position.json"+missingSuffix]; !strings.Contains(why, "there is no log") {
		t.Errorf("the log was looked at with %q", why)
	}
	if files["about.txt"] == "" || files["settings.json"] == "" || countOf(files, "plans/") != 1 {
		t.Errorf("what lies on this host is missing: %d files", len(files))
	}
}

func countOf(files map[string]string, prefix string) (count int) {
	for name := range files {
		if strings.HasPrefix(name, prefix) {
			count++
		}
	}
	return count
}

func TestAPartThatHangsIsAFileThatSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, forever := time.Now(), make(chan struct{})
		defer close(forever)
		s := &collection{}
		files := s.collect(t.Context(), []part{
			{"deaf", func(context.Context) ([]bundled, error) {
				<-forever
				return nil, nil
			}},
			{"quick", func(context.Context) ([]bundled, error) {
				return []bundled{{name: "quick", content: []byte("here")}}, nil
			}},
			{"large", func(context.Context) ([]bundled, error) {
				return []bundled{{name: "large", content: make([]byte, largestPart+1)}}, nil
			}},
		})
		if len(files) != 3 || files[0].name != "deaf.missing.txt" ||
			!strings.Contains(string(files[0].content), "did not end") || string(files[1].content) != "here" ||
			files[2].name != "large.missing.txt" {
			t.Errorf("collected %d files, the first is %s: %s", len(files), files[0].name, files[0].content)
		}
		if took := time.Since(began); took > partDeadline+2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
