package dialect

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// install writes an agent. It is renamed into its place, so that no process that
// is forked meanwhile holds it open for writing.
func install(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func folders(t *testing.T) Folders {
	dir := t.TempDir()
	return Folders{OCF: dir + "/ocf", RGManager: dir + "/cluster", Init: dir + "/init.d",
		SystemdRuns: dir + "/systemd/system", Scratch: dir + "/scratch"}.WithDefaults()
}

// told runs one request for real and judges it.
func carryOut(t *testing.T, speaker Speaker, r Request) (Verdict, string) {
	t.Helper()
	r.Timeout = 10 * time.Second
	agent := Agent{Speaker: speaker}
	command, has := agent.Program(r)
	if !has {
		t.Fatalf("no action %s", r.Action)
	}
	ended := program.Run(context.Background(), command)
	return agent.Judge(r, ended), string(ended.Stdout)
}

func TestWhatAnOCFAgentIsTold(t *testing.T) {
	f := folders(t)
	install(t, f.OCF+"/resource.d/test/show", "#!/bin/sh\necho \"$1\"; env | grep '^OCF\\|^HA_' | sort")
	speaker, err := f.Find("ocf:test:show")
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Action: Check, Depth: 10, Interval: 30 * time.Second, Node: "node1",
		Resource: resources.Resource{Type: "ocf:test:show", Name: "web",
			Parameters: map[string]string{"ip": "10.0.0.5; reboot", "b": "$(reboot)"}}}
	verdict, said := carryOut(t, speaker, r)
	want := strings.Join([]string{
		"monitor", "HA_RSCTMP=" + f.Scratch, "OCF_CHECK_LEVEL=10", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1",
		"OCF_RESKEY_CRM_meta_interval=30000", "OCF_RESKEY_CRM_meta_name=monitor", "OCF_RESKEY_CRM_meta_on_node=node1",
		"OCF_RESKEY_CRM_meta_timeout=10000",
		"OCF_RESKEY_b=$(reboot)", "OCF_RESKEY_ip=10.0.0.5; reboot",
		"OCF_RESOURCE_INSTANCE=show-web", "OCF_RESOURCE_PROVIDER=test", "OCF_RESOURCE_TYPE=show", "OCF_ROOT=" + f.OCF, "",
	}, "\n")
	if difference := cmp.Diff(want, said); verdict.Outcome != OK || difference != "" {
		t.Errorf("%+v %s", verdict, difference)
	}
}

func TestWhatAnRGManagerAgentIsTold(t *testing.T) {
	f := folders(t)
	install(t, f.RGManager+"/show.sh", "#!/bin/sh\necho \"$1\"; env | grep '^OCF' | sort")
	speaker, err := f.Find("rgmanager:show")
	if err != nil {
		t.Fatal(err)
	}
	_, said := carryOut(t, speaker,
		Request{Action: Check, Depth: 20, Users: 2,
			Resource: resources.Resource{Name: "web", Parameters: map[string]string{"address": "10.0.0.5"}}})
	want := strings.Join([]string{
		"status", "OCF_CHECK_LEVEL=20", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=0",
		"OCF_RESKEY_RGMANAGER_meta_refcnt=2", "OCF_RESKEY_RGMANAGER_meta_timeout=10",
		"OCF_RESKEY_address=10.0.0.5", "OCF_RESKEY_name=web", "OCF_RESOURCE_INSTANCE=show:web", "OCF_RESOURCE_TYPE=show",
		"OCF_ROOT=" + f.RGManager, "",
	}, "\n")
	if difference := cmp.Diff(want, said); difference != "" {
		t.Error(difference)
	}
}

// The codes are those of the OCF standard and of the Linux Standard Base; the
// rows of rgmanager are sections 6.1 and 6.6 of its reference.
func TestWhatExitCodesMean(t *testing.T) {
	f := folders(t)
	install(t, f.OCF+"/resource.d/test/code", "#!/bin/sh\nexit $OCF_RESKEY_code")
	install(t, f.RGManager+"/code", "#!/bin/sh\nexit $OCF_RESKEY_code")
	for code := range 6 {
		install(t, f.Init+"/code"+string(rune('0'+code)), "#!/bin/sh\nexit "+string(rune('0'+code)))
	}
	for _, c := range []struct {
		kind   string
		action Action
		probe  bool
		want   map[string]Outcome
	}{
		{"ocf:test:code", Check, false, map[string]Outcome{"0": OK, "1": Failed, "2": Failed, "3": Failed, "4": Failed,
			"5": Failed, "6": Failed, "7": NotRunning, "8": OK, "9": Failed, "190": OK, "191": OK, "42": Failed}},
		{"ocf:test:code", Check, true, map[string]Outcome{"0": OK, "1": Failed, "5": NotRunning, "7": NotRunning}},
		{"ocf:test:code", Start, false, map[string]Outcome{"0": OK, "1": Failed, "5": Failed, "6": Failed, "7": Failed,
			"190": Failed}},
		{"ocf:test:code", Stop, false, map[string]Outcome{"0": OK, "1": Failed, "5": Failed, "7": Failed}},
		{"rgmanager:code", Check, false, map[string]Outcome{"0": OK, "1": Failed, "5": Failed, "7": NotRunning,
			"42": Failed}},
		{"rgmanager:code", Check, true, map[string]Outcome{"0": OK, "1": NotRunning, "5": NotRunning, "7": NotRunning}},
		{"rgmanager:code", Start, false, map[string]Outcome{"0": OK, "1": Failed, "5": Failed}},
		{"rgmanager:code", Stop, false, map[string]Outcome{"0": OK, "1": Failed, "5": OK, "7": Failed}},
		{"lsb:code", Check, false, map[string]Outcome{"0": OK, "1": Failed, "2": Failed, "3": NotRunning, "4": Unknown}},
		{"lsb:code", Check, true, map[string]Outcome{"0": OK, "1": NotRunning, "3": NotRunning, "4": Unknown}},
		{"lsb:code", Stop, false, map[string]Outcome{"0": OK, "1": Failed, "5": Failed}},
	} {
		for code, want := range c.want {
			kind := c.kind
			if strings.HasPrefix(kind, "lsb:") {
				kind += code
			}
			speaker, err := f.Find(kind)
			if err != nil {
				t.Fatal(err)
			}
			verdict, _ := carryOut(t, speaker,
				Request{Action: c.action, Probe: c.probe, Resource: resources.Resource{Type: kind, Name: "x",
					Parameters: map[string]string{"code": code}}})
			if verdict.Outcome != want || (verdict.Outcome == Failed && verdict.Why == "") {
				t.Errorf("%s %s (probe %v) code %s: %+v, want outcome %d", c.kind, c.action, c.probe, code, verdict, want)
			}
		}
	}
}

func TestMetaData(t *testing.T) {
	info, err := ReadMetaData("rgmanager:ip", []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent version="rgmanager 2.0" name="ip"><version>1.0</version>
<parameters><parameter name="address" unique="1" primary="1" required="1"><content type="string"/></parameter>
<parameter name="monitor_link" reconfig="1"><content type="boolean" default="1"/></parameter></parameters>
<actions><action name="start" timeout="20"/><action name="status" depth="10" interval="60" timeout="20s"/>
<action name="status" interval="20" timeout="500ms"/><action name="stop" timeout="2min"/></actions></resource-agent>`))
	if err != nil {
		t.Fatal(err)
	}
	want := resources.AgentInfo{Type: "rgmanager:ip",
		Parameters: []resources.AgentParameter{{Name: "address", Required: true},
			{Name: "monitor_link", Reloadable: true, Default: "1"}},
		Actions: []resources.AgentAction{{Name: "start", Timeout: 20 * time.Second},
			{Name: "status", Depth: 10, Interval: time.Minute, Timeout: 20 * time.Second},
			{Name: "status", Interval: 20 * time.Second, Timeout: 500 * time.Millisecond},
			{Name: "stop", Timeout: 2 * time.Minute}}}
	if difference := cmp.Diff(want, info); difference != "" {
		t.Error(difference)
	}
	agent := Agent{Speaker: &rgmanager{}, Meta: info}
	if checks := agent.CheckPlan(resources.Resource{}); len(checks) != 2 {
		t.Errorf("checks %v", checks)
	}
	if checks := agent.CheckPlan(resources.Resource{Checks: []resources.ResourceCheck{{Depth: 10},
		{Interval: time.Second}}}); len(checks) != 1 || checks[0].Interval != time.Second {
		t.Errorf("checks %v", checks)
	}
	if limit := agent.Limit(resources.Resource{}, Stop, resources.ResourceCheck{}); limit != 2*time.Minute {
		t.Errorf("stop within %s", limit)
	}
}

func TestMetaDataIsAskedForOnceUntilTheAgentChanges(t *testing.T) {
	f := folders(t)
	path := f.OCF + "/resource.d/test/a"
	agent := func(name string) string {
		return "#!/bin/sh\necho x >>" + f.OCF + "/asked\necho '<resource-agent><parameters><parameter name=\"" + name +
			"\"/></parameters></resource-agent>'"
	}
	install(t, path, agent("old"))
	c := &Catalogue{Folders: f}
	find := func() string {
		found, err := c.Find(context.Background(), "ocf:test:a")
		if err != nil {
			t.Fatal(err)
		}
		return found.Meta.Parameters[0].Name
	}
	find()
	if find() != "old" {
		t.Error("not the agent's own word")
	}
	install(t, path, agent("new"))
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if find() != "new" {
		t.Error("an upgraded agent is not asked again")
	}
	if asked, err := os.ReadFile(f.OCF + "/asked"); err != nil || strings.Count(string(asked), "x") != 2 {
		t.Errorf("asked %q (%v)", asked, err)
	}
}

// Debian's agents, where they are installed, must be understood as they are.
func TestDebiansAgentsAreUnderstood(t *testing.T) {
	c := &Catalogue{Folders: Folders{}.WithDefaults()}
	for name, parameter := range map[string]string{
		"IPaddr2": "ip", "Filesystem": "device", "LVM-activate": "vgname", "apache": "configfile", "nginx": "configfile",
		"pgsql": "pgdata", "exportfs": "directory", "VirtualDomain": "config",
	} {
		kind := "ocf:heartbeat:" + name
		if _, err := c.Folders.Find(kind); errors.Is(err, ErrNotInstalled) {
			t.Skipf("the package resource-agents is not installed: %v", err)
		}
		agent, err := c.Find(context.Background(), kind)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, has := agent.Meta.Parameter(parameter); !has || !agent.Meta.Has("monitor") ||
			agent.Limit(resources.Resource{}, Start, resources.ResourceCheck{}) <= 0 {
			t.Errorf("%s: %+v", kind, agent.Meta)
		}
		faults := resources.ParameterFaults(agent.Meta,
			resources.Resource{Parameters: map[string]string{parameter: "x", parameter + "x": "y"}})
		if len(faults) == 0 || faults[len(faults)-1].Parameter != parameter+"x" {
			t.Errorf("%s: faults %+v", kind, faults)
		}
	}
}
