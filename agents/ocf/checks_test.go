package ocf

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// often has a resource checked as often as can be.
func often(r resources.Resource) resources.Resource {
	r.Checks = []resources.ResourceCheck{{Interval: 30 * time.Millisecond}}
	return r
}

func TestAFailedCheckBreaksTheService(t *testing.T) {
	b := newBench(t)
	shop := b.spec(often(thingNamed("a")), thingNamed("b"))
	b.mustStart(shop)
	b.remove("run.thing-a")
	o := b.next()
	if o.Condition != agents.Broken || !strings.Contains(o.Reason, "thing a: the agent says not running (7)") ||
		o.Service != "service:shop" {
		t.Fatalf("%+v", o)
	}
	b.want(shop, agents.Broken)
	if got := b.log(); got != "start a, start b" {
		t.Errorf("the agent did more than telling: %s", got)
	}
}

func TestAnIndependentSubtreeIsRestartedInPlace(t *testing.T) {
	b := newBench(t)
	inner := thingNamed("i", often(thingNamed("x")), thingNamed("y"))
	inner.Subtree, inner.MaxRestarts, inner.RestartExpire = resources.Independent, 2, time.Hour
	shop := b.spec(thingNamed("a", inner))
	b.mustStart(shop)
	b.log()
	for restart := range 2 {
		b.remove("run.thing-x")
		waitFor(t, func() bool { return strings.HasSuffix(b.peek(), "start y") })
		if got := b.log(); got != "stop y, stop x, stop i, start i, start x, start y" {
			t.Fatal(got)
		}
		if o := b.next(); o.Condition != agents.Running ||
			!strings.HasPrefix(o.Mended,
				fmt.Sprintf("ocf:test:thing i was restarted in place, restart %d since its start: ocf:test:thing x", restart+1)) {
			t.Errorf("%+v", o)
		}
	}
	b.want(shop, agents.Running)
	b.remove("run.thing-x") // once too often
	if o := b.next(); o.Condition != agents.Broken {
		t.Fatalf("%+v", o)
	}
}

func TestANonCriticalSubtreeIsLeftDownUntilItConvalesces(t *testing.T) {
	b := newBench(t)
	extra := often(thingNamed("x", thingNamed("y")))
	extra.Subtree = resources.NonCritical
	shop := b.spec(thingNamed("a"), extra)
	b.mustStart(shop)
	b.log()
	b.remove("run.thing-x")
	o := b.next()
	if o.Condition != agents.Running || !o.Partial || !strings.Contains(o.Reason, "thing x") {
		t.Fatalf("%+v", o)
	}
	if got := b.log(); got != "stop y, stop x" {
		t.Error(got)
	}
	b.open() // it stays partial
	if seen := b.want(shop, agents.Running); !seen.Partial {
		t.Error("the next daemon calls it whole")
	}
	b.write("start.thing-y", "exit 1")
	if result := b.agent.Convalesce(context.Background(), shop); result.OK || result.Source != agents.Running {
		t.Errorf("%+v", result)
	}
	b.remove("start.thing-y")
	if result := b.agent.Convalesce(context.Background(), shop); !result.OK || result.Source != agents.Running {
		t.Errorf("%+v", result)
	}
	if seen := b.want(shop, agents.Running); seen.Partial {
		t.Error("it is partial still")
	}
}

func TestAPartThatCannotStartIsLeftDownWhereItMay(t *testing.T) {
	b := newBench(t)
	extra := thingNamed("x", thingNamed("y"))
	extra.Subtree = resources.NonCritical
	b.write("start.thing-y", "exit 1")
	shop := b.spec(thingNamed("a"), extra, thingNamed("z"))
	b.mustStart(shop)
	if seen := b.want(shop, agents.Running); !seen.Partial {
		t.Error("it is whole")
	}
	if got := b.log(); got != "start a, start x, start y, stop y, stop x, start z" {
		t.Error(got)
	}
}

func TestSomeFailuresAreTolerated(t *testing.T) {
	b := newBench(t)
	r := often(thingNamed("a"))
	r.MaxFailures, r.FailureExpire = 3, time.Hour
	shop := b.spec(r)
	b.mustStart(shop)
	b.write("monitor.thing-a", `echo x >>`+b.dir+`/failures; exit 1`)
	if o := b.next(); o.Condition != agents.Broken {
		t.Fatalf("%+v", o)
	}
	if failures := strings.Count(b.read("failures"), "x"); failures != 4 {
		t.Errorf("broken after %d failures", failures)
	}
}

func TestACheckThatHangsIsAFailure(t *testing.T) {
	b := newBench(t)
	r := thingNamed("a")
	r.Checks = []resources.ResourceCheck{{Interval: 30 * time.Millisecond, Timeout: time.Second}}
	shop := b.spec(r)
	b.mustStart(shop)
	b.write("monitor.thing-a", "sleep 1000")
	if o := b.next(); o.Condition != agents.Broken || !strings.Contains(o.Reason, "did not end in time") {
		t.Fatalf("%+v", o)
	}
}

// A stop does not wait for a check that hangs.
func TestAStopBreaksOffACheck(t *testing.T) {
	b := newBench(t)
	shop := b.spec(often(thingNamed("a")))
	b.mustStart(shop)
	b.write("monitor.thing-a", "touch "+b.dir+"/hangs; sleep 1000")
	waitFor(t, func() bool { return b.exists("hangs") })
	begun := time.Now()
	if result := b.stop(shop); !result.OK || time.Since(begun) > 10*time.Second {
		t.Errorf("after %s: %+v", time.Since(begun), result)
	}
}

// A check that takes longer than its interval does not shut out those of the same
// service.
func TestASlowCheckLeavesTheOthersTheirTurn(t *testing.T) {
	b := newBench(t)
	b.write("monitor.thing-a", "sleep 0.3")
	shop := b.spec(often(thingNamed("a")), often(thingNamed("b")), often(thingNamed("c")))
	b.mustStart(shop)
	for _, name := range []string{"b", "c"} {
		b.write("monitor.thing-"+name, "echo x >>"+b.dir+"/checked-"+name)
	}
	waitFor(t, func() bool {
		return strings.Count(b.read("checked-b"), "x") > 3 && strings.Count(b.read("checked-c"), "x") > 3
	})
}

// rgmanager's rule: of all checks that are due the deepest is made.
func TestTheDeepestDueCheckIsMade(t *testing.T) {
	now := time.Now()
	d := first(&service{uuid: "u"}, "p", []resources.ResourceCheck{{Depth: 0, Interval: time.Second},
		{Depth: 10, Interval: 3 * time.Second}, {Depth: 20, Interval: time.Hour}}, now)
	shallow, deep := 0, 0
	for at := now; at.Before(now.Add(5 * time.Minute)); at = at.Add(time.Second) {
		switch d.pick(at).Depth {
		case 0:
			shallow++
		case 10:
			deep++
		}
	}
	if deep < 99 || deep > 101 || shallow < 195 || shallow > 205 {
		t.Errorf("%d shallow, %d deep", shallow, deep)
	}
}
