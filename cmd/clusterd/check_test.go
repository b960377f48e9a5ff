package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// well is a cluster in which nothing is to be done.
func well() api.Status {
	return api.Status{Cluster: "alpha", Quorate: true, Leader: "node1", Local: "node1",
		Nodes: []api.Node{{Name: "node1", State: "online", Online: true}, {Name: "node2", State: "online", Online: true},
			{Name: "node3", State: "online", Online: true, Witness: true, Unprotected: "no fence device"}},
		Services: []api.Service{{Name: "vm:web", StateText: "started"}, {Name: "vm:db", StateText: "migrating"},
			{Name: "vm:old", StateText: "disabled"}}}
}

func TestWhatACheckSays(t *testing.T) {
	note := cluster.Note{Subject: "vm:db", Why: message.Words("waits | for a disk"), Next: message.Words("attach it")}
	for _, c := range []struct {
		name   string
		change func(*api.Status)
		want   health
		says   string
	}{
		{"all is well", func(*api.Status) {}, healthy, "OK: alpha: 3 nodes online and protected, 2 services run | " +
			"quorum=1;;1:;0;1 nodes_online=3;;;0;3 nodes_unprotected=0;0;;0;3 services_running=2;;;0;3 " +
			"services_failed=0;;0;0;3 services_waiting=0;0;;0;3 waiting_for_person=0;0;;0"},
		{"no quorum", func(s *api.Status) { s.Quorate = false }, broken,
			"CRITICAL: alpha: NO QUORUM: nothing is started, moved or fenced; see clustat on node1 | quorum=0;;1:;0;1"},
		{"failed", func(s *api.Status) { s.Services[0].StateText = "failed" }, broken,
			"CRITICAL: alpha: 1 services failed: vm:web | quorum=1;;1:;0;1 "},
		{"many failed", func(s *api.Status) {
			for _, name := range []string{"vm:1", "vm:2", "vm:3", "vm:4", "vm:5"} {
				s.Services = append(s.Services, api.Service{Name: name, StateText: "failed"})
			}
		}, broken, "5 services failed: vm:1, vm:2, vm:3 and 2 more |"},
		{"paused", func(s *api.Status) { s.Services[0].Paused = "running twice" }, broken, "1 services paused: vm:web"},
		{"out of touch", func(s *api.Status) { s.Nodes[1].Online, s.Nodes[1].State = false, "fencing" }, broken,
			"CRITICAL: alpha: 1 of 3 nodes out of touch: node2 fencing | quorum=1;;1:;0;1 nodes_online=2;;;0;3"},
		{"in maintenance", func(s *api.Status) {
			s.Nodes[1].Online, s.Nodes[1].State = false, "fenced"
			s.Nodes[1].Order = &api.NodeOrder{Order: "maintenance"}
		}, healthy, "OK: "},
		{"unprotected", func(s *api.Status) { s.Nodes[1].Unprotected = "no BMC" }, worrying,
			"WARNING: alpha: 1 of 3 nodes unprotected: node2 |"},
		{"disarmed and locked", func(s *api.Status) {
			s.Disarmed, s.Lock = "by root", &api.LockStatus{By: "root"}
		}, worrying, "WARNING: alpha: fencing is disarmed: by root; the cluster is locked by root |"},
		{"waiting", func(s *api.Status) { s.Services[0].StateText = "recoverable" }, worrying,
			"1 services do not run yet: vm:web"},
		{"a note for a person", func(s *api.Status) { s.Notes = []cluster.Note{{Subject: "vm:web"}, note} }, worrying,
			"1 notes wait for a person: vm:db: waits / for a disk |"},
		{"the worst comes first", func(s *api.Status) {
			s.Disarmed, s.Services[0].StateText, s.Warnings = "by root", "failed", []string{"its clock is wrong"}
		}, broken, "CRITICAL: alpha: 1 services failed: vm:web; fencing is disarmed: by root; " +
			"node1 warns: its clock is wrong |"},
	} {
		status := well()
		c.change(&status)
		got := judge(status, nil)
		if got.health != c.want || !strings.Contains(got.Error(), c.says) || strings.Contains(got.Error(), "\n") ||
			strings.Count(got.Error(), "|") != 1 {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestACheckHoldsTheReserve: fewer hosts than wanted may be lost, and why, or what is not known.
func TestACheckHoldsTheReserve(t *testing.T) {
	short := []cluster.WhatIfStep{{Service: "vm:big", From: "node1"}}
	for want, r := range map[string]cluster.Reserve{
		"OK: alpha: 3 nodes online and protected, 2 services run |": {Hosts: 1, Asked: 1},
		"WARNING: alpha: 0 of 1 hosts may be lost: without node1, vm:big has no place |": {Asked: 1,
			Lost: []string{"node1"}, Short: short},
		"WARNING: alpha: 1 of 2 hosts may be lost: without node1 and node2 too few voters would be left |": {Hosts: 1,
			Asked: 2, Lost: []string{"node1", "node2"}, Minority: true},
		"WARNING: alpha: 1 of 3 hosts may be lost: there was no time to try more |": {Hosts: 1, Asked: 3, Bounded: true},
	} {
		got := judge(well(), &api.ReserveReply{Reserve: r}).Error()
		figure := fmt.Sprintf(" hosts_that_may_be_lost=%d;%d:;;0;%d", r.Hosts, r.Asked, r.Asked)
		if !strings.Contains(got, want) || !strings.HasSuffix(got, figure) {
			t.Errorf("told is %s\nwant %s and %s", got, want, figure)
		}
	}
	if v := checked(t, "check", "--reserve", "9"); v.health != unclear || !strings.Contains(v.text, "from 1 to 3") {
		t.Errorf("nine hosts: %s", v)
	}
}

// checked is the verdict of a command line.
func checked(t *testing.T, words ...string) *checkAnswer {
	t.Helper()
	words = append([]string{"clusterd"}, words...)
	var v *checkAnswer
	if err := asAnswer(words, newApp().RunContext(t.Context(), words)); !errors.As(err, &v) {
		t.Fatalf("%v: %v", words, err)
	}
	return v
}

// TestACheckThatNobodyAnswersIsUnknown: nothing, somebody who accepts and says nothing, and wrong
// use.
func TestACheckThatNobodyAnswersIsUnknown(t *testing.T) {
	folder := t.TempDir()
	if v := checked(t, "--socket", filepath.Join(folder, "none"), "check"); v.health != unclear ||
		!strings.Contains(v.text, "none") {
		t.Errorf("without a daemon: %s", v)
	}
	mute := filepath.Join(folder, "mute")
	listener, err := net.Listen("unix", mute)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	began := time.Now()
	if v := checked(t, "--socket", mute, "check", "--wait", "200ms"); v.health != unclear ||
		!strings.Contains(v.text, "answered") || time.Since(began) > 5*time.Second {
		t.Errorf("with a daemon that hangs: %s after %s", v, time.Since(began))
	}
	for _, words := range [][]string{{"check", "--nonsense"}, {"--socket", mute, "check", "web"}} {
		if v := checked(t, words...); v.health != unclear {
			t.Errorf("%v: %s", words, v)
		}
	}
	if err := asAnswer([]string{"clusterd", "doctor"}, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("another command became %v", err)
	}
}
