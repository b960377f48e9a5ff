package ocf

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// Agents that misbehave end in a failure of their resource, told in words, and
// in nothing else: the service beside goes on.
func TestAgentsThatMisbehave(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"unknown code", "exit 77", "unknown code 77"},
		{"unknown code with garbage", `printf '\000\001\377garbage\033[31m' >&2; exit 78`, "unknown code 78: garbage[31m"},
		{"flood", "yes; exit 0", "printed more than 1024 KiB"},
		{"hang", "sleep 1000", "did not end in time and was killed (1s)"},
		{"hang with children", "sleep 1000 & sleep 1000", "did not end in time and was killed (1s)"},
		{"killed", "kill -9 $$", "was ended by signal 9 (killed)"},
		{"not configured", "exit 6", "its parameters are wrong (6)"},
		{"no such action", "exit 3", "no such action (3)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			beside := spec("service:beside", thingNamed("z"))
			b.mustStart(beside)
			b.write("start.thing-a", c.body)
			bad := thingNamed("a")
			bad.StartTimeout = time.Second
			result := b.start(b.spec(bad))
			if result.OK || result.Source != agents.Absent || !strings.Contains(result.Why, c.want) {
				t.Errorf("%+v", result)
			}
			b.want(beside, agents.Running)
		})
	}
}

func TestAnAgentThatIsNotInstalled(t *testing.T) {
	b := newBench(t)
	shop := b.spec(resources.Resource{Type: "ocf:test:other", Name: "a"})
	if seen := b.want(shop, agents.Absent); seen.Evidence == "" {
		t.Error("absent without evidence")
	}
	if result := b.start(shop); result.OK || !strings.Contains(result.Why, "is not installed on this node") {
		t.Errorf("%+v", result)
	}
}

// An agent that misses a tool can neither start nor stop nor tell. Its start said
// that it did not begin: the service may go elsewhere.
func TestAnAgentThatMissesAToolStartedNothing(t *testing.T) {
	b := newBench(t)
	for _, action := range []string{"start", "stop", "monitor"} {
		b.write(action+".thing-b", "echo ocf-exit-reason:no command fuser >&2; echo more >&2; exit 5")
	}
	shop := b.spec(thingNamed("a"), thingNamed("b"))
	if result := b.start(shop); result.OK || result.Source != agents.Absent ||
		!strings.Contains(result.Why, "(5): no command fuser;") {
		t.Errorf("%+v", result)
	}
	b.remove("start.thing-b")
	b.mustStart(shop)
	if result := b.stop(shop); result.OK || result.Source != agents.Broken {
		t.Errorf("what did start is called absent: %+v", result)
	}
}

func TestAnAgentWithoutProperMetaData(t *testing.T) {
	b := newBench(t)
	b.write("ocf/resource.d/test/bad", "#!/bin/sh\necho '<resource-agent'\n")
	if result := b.start(b.spec(resources.Resource{Type: "ocf:test:bad", Name: "a"})); result.OK ||
		!strings.Contains(result.Why, "meta-data of ocf:test:bad cannot be read") {
		t.Errorf("%+v", result)
	}
}

// What a stop does not end, the kill of all the service's processes does.
func TestAStopThatHangsIsEscalated(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	shop.Tree[0].StopTimeout = time.Second
	shop = b.spec(shop.Tree...)
	b.mustStart(shop)
	b.write("stop.thing-a", `[ -e `+b.dir+`/once ] || { touch `+b.dir+`/once; sleep 1000; }`)
	if result := b.stop(shop); !result.OK || result.Source != agents.Absent {
		t.Errorf("%+v", result)
	}
}

func TestProcessesOfAServiceAreKilledWhenItDoesNotStop(t *testing.T) {
	b := newBench(t)
	places, err := program.NewPlaces(groupName(b.options))
	if err != nil {
		t.Skip(err)
	}
	b.write("start.thing-a", "setsid sleep 1000 & echo $! >"+b.dir+"/pid")
	b.write("stop.thing-a", `kill -0 $(cat `+b.dir+`/pid) 2>/dev/null && exit 1`)
	b.write("monitor.thing-a", `kill -0 $(cat `+b.dir+`/pid 2>/dev/null) 2>/dev/null || exit 7`)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	if len(places.Processes(program.Home{Key: shop.UUID, Title: shop.Name})) == 0 {
		t.Fatal("the process is not in the service's control group")
	}
	if result := b.stop(shop); !result.OK {
		t.Errorf("%+v", result)
	}
	if left := places.Processes(program.Home{Key: shop.UUID, Title: shop.Name}); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A daemon that ends in the middle of a start leaves the agent alone. The next
// one knows nothing until the agent has ended: a deadline ends the waiting, not
// the act (law L1).
func TestAStartThatOutlivesItsDaemonIsUnknownUntilItEnds(t *testing.T) {
	b := newBench(t)
	b.write("start.thing-a", "while [ ! -e "+b.dir+"/go ]; do sleep 0.02; done")
	shop := b.spec(thingNamed("a"))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan agents.Result)
	text, _ := resources.TreeDefinition(shop.Tree)
	go func() { ended <- b.agent.Start(ctx, agents.Act{Spec: shop, Definition: text}) }()
	waitFor(t, func() bool {
		_, err := os.Stat(filepath.Join(b.dir, "log"))
		return err == nil
	})
	cancel()
	if result := <-ended; result.OK || result.Source != agents.Unknown {
		t.Errorf("%+v", result)
	}
	b.open()
	b.want(shop, agents.Unknown)
	if result := b.start(shop); result.OK || result.Source != agents.Unknown {
		t.Errorf("a second start beside the first: %+v", result)
	}
	b.write("go", "")
	waitFor(t, func() bool {
		return b.agent.Look(context.Background(), shop).Condition == agents.Broken
	})
	if result := b.stop(shop); !result.OK {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "start a, stop a" {
		t.Error(got)
	}
}

// The number of a process that began right before the daemon was killed may not
// be written down. It is looked for by its mark.
func TestACallWhoseNumberIsNotKnownIsLookedFor(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	b.agent.services[shop.UUID].record.Calls = []openCall{{Action: "start", Path: "x", Mark: "a-mark"}}
	if err := b.agent.records.store(b.agent.services[shop.UUID].record); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan program.Ended)
	begun := make(chan struct{})
	go func() {
		running <- program.Run(ctx, program.Program{Path: "/bin/sleep", Arguments: []string{"1000"},
			Environment: []string{markName + "=a-mark"}, Limit: time.Minute,
			Begun: func(program.Group) { close(begun) }})
	}()
	<-begun
	b.open()
	b.want(shop, agents.Unknown)
	cancel()
	<-running
	b.want(shop, agents.Running)
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !what(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to that in 20s")
		}
	}
}
