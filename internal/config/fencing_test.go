package config

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

func TestTheBrakesNumbers(t *testing.T) {
	parsed, err := Parse("a.yaml", []byte("cluster: a\nfencing: {at_once: 3, window: 5m, shots: 9}\n"), nil, nil)
	if want := (cluster.Fencing{AtOnce: 3, Window: 5 * time.Minute, Shots: 9}); err != nil ||
		parsed.Document.Fencing != want {
		t.Fatalf("read %+v, %v", parsed.Document.Fencing, err)
	}
	for text, want := range map[string]string{
		"cluster: a\nfencing: {at_once: 0}\n": "a.yaml:2:20: at_once of " +
			"fencing is 0; it must be between 1 and 16",
		"cluster: a\nfencing: {window: 1s}\n": "a.yaml:2:19: window of " +
			"fencing is 1s; it must be between 1m0s and 24h0m0s",
		"cluster: a\nfencing: {shot: 3}\n": "a.yaml:2:11: fencing has no " +
			"key \"shot\". Did you mean 'shots'?",
		"cluster: a\nfencing: {at_once: 8}\n": "a.yaml:2:10: fencing allows 8 " +
			"nodes at once and only 6 shots in 10m0s; raise shots",
		"cluster: a\nfencing: {at_once: 8, shots: 2}\n": "a.yaml:2:30: fencing allows 8 " +
			"nodes at once and only 2 shots",
		"cluster: a\nfencing: {drills: {}}\n": "a.yaml:2:19: drills of " +
			"fencing has no \"every\"",
		"cluster: a\nfencing: {drills: {every: 720h, from: \"22:00\"}}\n": "only one of from and to",
		"cluster: a\nfencing: {drills: {every: 1h}}\n": "a.yaml:2:27: every of drills " +
			"is 1h; it must be between 24h0m0s",
		"cluster: a\nfencing: {drills: {every: 720h, from: \"25:00\", to: \"4:00\"}}\n": "a.yaml:2:39: from of drills " +
			"must be a time of the day",
		"cluster: a\ndevices: {b: {driver: ipmi, address: h, attempts: 9}}\n": "a.yaml:2:51: attempts of " +
			"device b is 9; it must be between 1 and 5",
		"cluster: a\ndevices: {b: {driver: ipmi, address: h, delay: 1h}}\n": "a.yaml:2:48: delay of device " +
			"b is 1h; it must be between 1s and 5m0s",
		"cluster: a\ndevices: {b: {driver: ipmi, address: h, at_once: no}}\n": "a.yaml:2:50: at_once of " +
			"device b must be a whole number",
		"cluster: a\nfencing: [1]\n": "a.yaml:2:10: fencing must be a mapping",
	} {
		if _, err := Parse("a.yaml", []byte(text), nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives\n%v\nwant\n%s", text, err, want)
		}
	}
}

func TestLimitsAndDrillsAreTakenIn(t *testing.T) {
	text := "cluster: a\nfencing: {drills: {every: 720h, from: \"22:00\", to: \"04:30\"}}\ndevices: {b: {driver: " +
		"ipmi, address: h, attempts: 1, at_once: 2, delay: 5s}}\n"
	parsed, err := Parse("a.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parsed.Document.Fencing.Drills,
		(cluster.Drills{Every: 720 * time.Hour, From: 22 * 60, To: 4*60 + 30}); got != want {
		t.Errorf("the schedule is %+v", got)
	}
	if got, want := parsed.Document.Devices["b"].Limits,
		(fence.Limits{AtOnce: 2, Attempts: 1, Delay: 5 * time.Second}); got != want {
		t.Errorf("the limits are %+v", got)
	}
	printed := Print(parsed.Document)
	for _, want := range []string{"drills every 720h0m0s, from 22:00 to 04:30 UTC", "at_once=2 attempts=1 delay=5s"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not told in\n%s", want, printed)
		}
	}
}

func TestTheBrakeIsCompared(t *testing.T) {
	got := Diff(cluster.Document{}, cluster.Document{Fencing: cluster.Fencing{AtOnce: 2}})
	if len(got) != 1 || got[0] != "fencing: at_once changes from 1 to 2" {
		t.Errorf("the difference is told as %q", got)
	}
}
