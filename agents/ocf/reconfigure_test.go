package ocf

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

func withParameter(r resources.Resource, name, value string) resources.Resource {
	r.Parameters = map[string]string{name: value}
	return r
}

func (b *bench) reconfigure(spec resources.Spec) agents.Result {
	b.t.Helper()
	text, _ := resources.TreeDefinition(spec.Tree)
	return b.agent.Reconfigure(context.Background(), agents.Act{Spec: spec, Definition: text})
}

func (b *bench) mustReconfigure(spec resources.Spec, words string) {
	b.t.Helper()
	if result := b.reconfigure(spec); !result.OK || result.Source != agents.Running || result.Why != words {
		b.t.Fatalf("%+v, want %q", result, words)
	}
}

func TestWhatCanChangeInPlaceDoes(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(withParameter(thingNamed("a"), "color", "red"), thingNamed("b")))
	b.log()
	blue := b.spec(withParameter(thingNamed("a"), "color", "blue"), thingNamed("b"))
	b.mustReconfigure(blue, "1 changed in place")
	if got := b.log(); got != "reload-agent a" {
		t.Error(got)
	}
	// It is as declared now: the next daemon does nothing, nor does a start.
	b.open()
	b.want(blue, agents.Running)
	b.mustReconfigure(blue, "it is as declared already")
	if got := b.log(); got != "" {
		t.Error(got)
	}
}

func TestChecksChangeInPlace(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(thingNamed("a")))
	b.mustReconfigure(b.spec(often(thingNamed("a"))), "limits and checks")
	b.remove("run.thing-a")
	if o := b.next(); o.Condition != agents.Broken {
		t.Errorf("%+v", o)
	}
	if got := b.log(); got != "start a" {
		t.Error(got)
	}
}

// What did not change is not touched (law L7).
func TestOnlyWhatChangedIsStoppedAndStarted(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(thingNamed("a", withParameter(thingNamed("b"), "size", "1"), thingNamed("c"))))
	b.log()
	next := b.spec(thingNamed("a", withParameter(thingNamed("b"), "size", "2"), thingNamed("d")))
	b.mustReconfigure(next, "2 stopped, 2 started")
	if got := b.log(); got != "stop c, stop b, start b, start d" {
		t.Error(got)
	}
	b.want(next, agents.Running)
	if result := b.stop(next); !result.OK || b.log() != "stop d, stop b, stop a" {
		t.Errorf("%+v", result)
	}
}

func TestWhatDoesNotChangeInPlaceIsStartedAnew(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(withParameter(thingNamed("a", thingNamed("b")), "color", "red"), thingNamed("c")))
	b.write("reload-agent.thing-a", "exit 1")
	b.log()
	b.mustReconfigure(b.spec(withParameter(thingNamed("a", thingNamed("b")), "color", "blue"), thingNamed("c")),
		"1 started")
	if got := b.log(); got != "reload-agent a, stop b, stop a, start a, start b" {
		t.Error(got)
	}
}

// A change that fails leaves the service broken, never half changed and called
// running: what follows is a stop of all that may be there.
func TestAChangeThatFailsBreaksTheService(t *testing.T) {
	for name, c := range map[string]struct{ file, words, left string }{
		"start": {"start.thing-c", "thing c", "stop b, start c"},
		"stop":  {"stop.thing-b", "could not be stopped", "stop b"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.mustStart(b.spec(thingNamed("a"), thingNamed("b")))
			b.log()
			b.write(c.file, "exit 1")
			next := b.spec(thingNamed("a"), thingNamed("c"))
			if result := b.reconfigure(next); result.OK || result.Source != agents.Broken ||
				!strings.Contains(result.Why, c.words) {
				t.Errorf("%+v", result)
			}
			if got := b.log(); got != c.left {
				t.Error(got)
			}
			// The next daemon does not take it for whole.
			b.open()
			b.want(next, agents.Broken)
			b.remove(c.file)
			if result := b.stop(next); !result.OK || !strings.Contains(b.log(), "stop a") {
				t.Errorf("%+v", result)
			}
		})
	}
}

func TestAChangeIsNotBegunWithoutItsAgents(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"), thingNamed("b"))
	b.mustStart(shop)
	b.log()
	next := b.spec(thingNamed("a"), resources.Resource{Type: "ocf:test:other", Name: "x"})
	if result := b.reconfigure(next); result.OK || result.Source != agents.Running ||
		!strings.Contains(result.Why, "nothing was changed") {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "" {
		t.Error(got)
	}
	b.want(shop, agents.Running)
}

// Its intent can end while the old parts are being stopped; what is left is not
// what anybody declared.
func TestAChangeThatIsNotWantedAnyMoreIsBroken(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(thingNamed("a"), thingNamed("b")))
	next := b.spec(thingNamed("a"), thingNamed("c"))
	text, _ := resources.TreeDefinition(next.Tree)
	asked := 0
	result := b.agent.Reconfigure(context.Background(),
		agents.Act{Spec: next, Definition: text, StillWanted: func() error {
			if asked++; asked > 1 {
				return errors.New("the document changed again")
			}
			return nil
		}})
	if result.OK || result.Source != agents.Broken || !strings.Contains(result.Why, "no longer wanted") {
		t.Errorf("%+v", result)
	}
	b.want(next, agents.Broken)
}

func TestAPartThatWasLeftDownStaysSo(t *testing.T) {
	b := newBench(t)
	spare := thingNamed("s")
	spare.Subtree = resources.NonCritical
	b.write("start.thing-s", "exit 1")
	b.mustStart(b.spec(thingNamed("a"), spare))
	b.log()
	b.mustReconfigure(b.spec(thingNamed("a"), spare, thingNamed("c")), "1 started, left down: ocf:test:thing s")
	if got := b.log(); got != "start c" {
		t.Error(got)
	}
}

// The disks that are told are those of what runs, whatever is declared by then (law L9).
func TestTheDisksToldAreThoseOfWhatRuns(t *testing.T) {
	b := newBench(t)
	b.write("ocf/resource.d/heartbeat/Filesystem", strings.ReplaceAll(thing, "DIR", b.dir))
	on := func(device string) resources.Spec {
		fs := resources.Resource{Type: "ocf:heartbeat:Filesystem", Name: "fs",
			Parameters: map[string]string{"device": device, "fstype": "ext4"}}
		s := b.spec(fs)
		s.Disks = []resources.Disk{{Identity: "block:/dev/declared-later"}}
		return s
	}
	first, second := on("/dev/one"), on("/dev/two")
	b.mustStart(first)
	if o := b.want(first, agents.Running); len(o.Disks) != 1 || o.Disks[0].Identity != "block:/dev/one" {
		t.Errorf("%+v", o.Disks)
	}
	b.mustReconfigure(second, "1 stopped, 1 started")
	if o := b.want(second, agents.Running); len(o.Disks) != 1 || o.Disks[0].Identity != "block:/dev/two" {
		t.Errorf("%+v", o.Disks)
	}
}
