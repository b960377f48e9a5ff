package alerts

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

func example() Message {
	return MessageOf("alpha", "pager", "service",
		cluster.Event{Index: 7, Ordinal: 1, At: time.Date(2026, 11, 22, 10, 15, 4, 0, time.UTC), Subject: "vm:web",
			Node: "node1",
			From: "started", To: "failed", Why: message.Words("a stop was\x00not \"confirmed\"; $(reboot)")}, 3)
}

// script writes a program.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAProgramGetsTheEvent(t *testing.T) {
	folder := t.TempDir()
	path := script(t, "cat >"+folder+"/input; env | sort >"+folder+"/environment; echo \"$@\" >"+folder+"/arguments\n")
	if err := Send(t.Context(), cluster.Alert{Program: path, Arguments: []string{"--team", "a b; c"}},
		example()); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var got Message
	if err := json.Unmarshal([]byte(read("input")), &got); err != nil || !reflect.DeepEqual(got, example()) {
		t.Errorf("on its input: %+v, %v", got, err)
	}
	environment := read("environment")
	for _, want := range []string{"CLUSTERD_CLUSTER=alpha\n", "CLUSTERD_SUBJECT=vm:web\n", "CLUSTERD_TO=failed\n",
		"CLUSTERD_AT=2026-11-22T10:15:04Z\n", "CLUSTERD_INDEX=7\n", "CLUSTERD_MISSED=3\n",
		"CLUSTERD_WHY=a stop wasnot \"confirmed\"; $(reboot)\n"} {
		if !strings.Contains(environment, want) {
			t.Errorf("its environment lacks %q:\n%s", want, environment)
		}
	}
	if got := read("arguments"); got != "--team a b; c\n" {
		t.Errorf("its arguments are %q", got)
	}
}

func TestAProgramThatFailsSaysWhy(t *testing.T) {
	for lines, want := range map[string]string{
		"echo 'no route\033[31m to pager' >&2; exit 3\n": "ended with exit code 3: no route [31m to pager",
		"exit 1\n": "ended with exit code 1",
		"head -c 100000 /dev/zero | tr '\\0' x; exit 1\n": "ended with exit code 1: " + strings.Repeat(
			"x", saidLength) + "...",
		"kill -9 $$\n": "failed: signal: killed",
	} {
		err := Send(t.Context(), cluster.Alert{Program: script(t, lines)}, example())
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", lines, err, want)
		}
	}
	if err := Send(t.Context(), cluster.Alert{Program: "/nowhere/at/all"}, example()); err == nil ||
		err.Error() != "/nowhere/at/all could not be started: no such file or directory" {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestAProgramThatHangsIsKilledWithItsChildren(t *testing.T) {
	folder := t.TempDir()
	path := script(t, "sleep 600 & echo $! >"+folder+"/new; mv "+folder+"/new "+folder+"/child; sleep 600\n")
	ctx, end := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(folder, "child")); err == nil {
				end()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	err := Send(ctx, cluster.Alert{Program: path, Timeout: time.Minute}, example())
	if err == nil || !strings.HasSuffix(err.Error(), "did not end within 1m0s and was killed") {
		t.Errorf("said %v", err)
	}
	gone(t, filepath.Join(folder, "child"))
	err = Send(t.Context(), cluster.Alert{Program: script(t, "sleep 600\n"), Timeout: 50 * time.Millisecond}, example())
	if err == nil || !strings.HasSuffix(err.Error(), "did not end within 50ms and was killed") {
		t.Errorf("said %v", err)
	}
	// One that ends well and leaves something behind has told the event.
	path = script(t, "sleep 600 & echo $! >"+folder+"/child\n")
	if err := Send(t.Context(), cluster.Alert{Program: path}, example()); err != nil {
		t.Errorf("said %v", err)
	}
	gone(t, filepath.Join(folder, "child"))
}

// gone waits until the process of which a file holds the number no longer
// runs.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	state := "/proc/" + strings.TrimSpace(string(text)) + "/stat"
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(state)
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %s still runs", text)
}

func TestAnAddressIsPosted(t *testing.T) {
	var got Message
	var header http.Header
	status := http.StatusOK
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &got)
		header = r.Header
		if status == http.StatusFound {
			w.Header().Set("Location", "https://elsewhere.example/")
		}
		w.WriteHeader(status)
		io.WriteString(w, "the body of the answer")
	}))
	defer server.Close()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	alert := cluster.Alert{SecretURL: fence.Secret(server.URL + "/hooks/very-secret"), Authority: authority,
		Header: "X-Token", Secret: "hush"}
	if err := Send(t.Context(), alert, example()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, example()) || header.Get("X-Token") != "hush" ||
		header.Get("Clusterd-Event") != "alpha/7.1" ||
		header.Get("Content-Type") != "application/json" {
		t.Errorf("posted %+v with %v", got, header)
	}
	host := strings.TrimPrefix(server.URL, "https://")
	for _, c := range []struct {
		alert  cluster.Alert
		status int
		want   string
	}{
		{alert, http.StatusTeapot, host + " answered 418 I'm a teapot: the body of the answer"},
		{alert, http.StatusFound, host + " answered 302 Found: the body of the answer"},
		{cluster.Alert{SecretURL: alert.SecretURL}, http.StatusOK, "certificate signed by unknown authority"},
		{cluster.Alert{SecretURL: "http://" + fence.Secret(host)}, http.StatusOK,
			"the address is not one that begins with https://"},
		{cluster.Alert{SecretURL: "https://127.0.0.1:1/hooks/very-secret"}, http.StatusOK,
			"127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
	} {
		status = c.status
		err := Send(t.Context(), c.alert, example())
		if err == nil || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "hush") {
			t.Errorf("said %v, want %q", err, c.want)
		}
	}
}

// TestAReceiverThatQuotesWhatItWasToldIsHeard: without the secrets. Everybody who may look reads
// why an alert was not told.
func TestAReceiverThatQuotesWhatItWasToldIsHeard(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "no receiver %s, or %q is not its token (%s) %s", r.URL, r.Header.Get("X-Token"), r.URL.Path,
			strings.Repeat(r.Header.Get("X-Token"), 20))
	}))
	defer server.Close()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	err := Send(t.Context(), cluster.Alert{SecretURL: fence.Secret(server.URL + "/api/hook-9f2c-aa?key=word-77aa"),
		Authority: authority, Header: "X-Token", Secret: `hu"sh-31`}, example())
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden: no receiver "+fence.Hidden) {
		t.Fatalf("said %v", err)
	}
	for _, secret := range []string{"9f2c", "77aa", "sh-31"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s is in %v", secret, err)
		}
	}
}

func TestAnAddressThatHangsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := Send(ctx, cluster.Alert{URL: server.URL, Authority: authority, Timeout: 200 * time.Millisecond}, example())
	if err == nil || !strings.HasSuffix(err.Error(), "did not answer within 200ms") {
		t.Errorf("said %v", err)
	}
}
