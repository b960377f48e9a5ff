package dialect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/systemd"
)

// What systemd 252 says of units in these states.
func TestUnits(t *testing.T) {
	for state, want := range map[systemd.State]Outcome{
		{Load: "loaded", Active: "active", Sub: "running"}:                                  OK,
		{Load: "loaded", Active: "active", Sub: "exited"}:                                   OK,
		{Load: "loaded", Active: "reloading", Sub: "reload"}:                                OK,
		{Load: "loaded", Active: "inactive", Sub: "dead"}:                                   NotRunning,
		{Load: "not-found", Active: "inactive", Sub: "dead"}:                                NotRunning,
		{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code"}:              NotRunning,
		{Load: "loaded", Active: "activating", Sub: "auto-restart"}:                         Unknown,
		{Load: "loaded", Active: "activating", Sub: "start-pre", Job: 812}:                  Unknown,
		{Load: "loaded", Active: "inactive", Sub: "dead", Job: 812}:                         Unknown,
		{Load: "loaded", Active: "active", Sub: "running", Job: 812}:                        Unknown,
		{Load: "loaded", Active: "deactivating", Sub: "stop-sigterm", Job: 812}:             Unknown,
		{Load: "loaded", Active: "deactivating", Sub: "final-sigkill", Result: "exit-code"}: Unknown,
		{}: Unknown,
	} {
		if verdict := unitVerdict(state); verdict.Outcome != want {
			t.Errorf("%+v: %+v", state, verdict)
		}
	}
}

func TestWithoutSystemdThereAreNoUnits(t *testing.T) {
	f := folders(t)
	if _, err := f.Find("systemd:nginx"); !errors.Is(err, ErrNotInstalled) ||
		!strings.Contains(err.Error(), "systemd is not the manager of this system") {
		t.Error(err)
	}
}

// A systemd that is there and does not listen was not asked: nothing is known.
func TestASystemdThatCannotBeAskedProvesNothing(t *testing.T) {
	f := folders(t)
	install(t, f.SystemdRuns+"/x", "")
	speaker, err := f.Find("systemd:nginx")
	if err != nil {
		t.Fatal(err)
	}
	agent := Agent{Speaker: speaker}
	if words, has := agent.Words(Request{Action: Start}); !has || words != "systemd: StartUnit nginx.service" {
		t.Errorf("%q", words)
	}
	caller, calls := agent.Caller()
	if !calls {
		t.Fatal("a unit is asked for by a program")
	}
	for _, action := range []Action{Start, Stop, Check} {
		verdict := caller.Do(t.Context(), Request{Action: action, Timeout: 5 * time.Second})
		if verdict.Outcome != Unknown || !verdict.Unasked || !strings.Contains(verdict.Why, "systemd does not answer") {
			t.Errorf("%s: %+v", action, verdict)
		}
	}
}
