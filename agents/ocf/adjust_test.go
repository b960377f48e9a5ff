package ocf

import (
	"context"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

func colored(name, color string) resources.Resource {
	r := thingNamed(name)
	r.Parameters = map[string]string{"color": color}
	return r
}

func TestWhatCanChangeInPlaceDoes(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(colored("a", "red"), thingNamed("b")))
	b.log()
	blue := b.spec(colored("a", "blue"), thingNamed("b"))
	if what, err := b.agent.Adjust(context.Background(), blue); err != nil || !strings.Contains(what, "thing a changed in place") {
		t.Errorf("%q %v", what, err)
	}
	if got := b.log(); got != "reload-agent a" {
		t.Error(got)
	}
	// It is as declared now: the next daemon does nothing, nor does a start.
	b.open()
	b.want(blue, agents.Running)
	if _, err := b.agent.Adjust(context.Background(), blue); err != nil || b.log() != "" {
		t.Error(err)
	}
}

func TestChecksChangeInPlace(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(thingNamed("a")))
	if _, err := b.agent.Adjust(context.Background(), b.spec(often(thingNamed("a")))); err != nil {
		t.Fatal(err)
	}
	b.remove("run.thing-a")
	if o := b.next(); o.Condition != agents.Broken {
		t.Errorf("%+v", o)
	}
	if got := b.log(); got != "start a" {
		t.Error(got)
	}
}

// A change of the document restarts nothing (law L7).
func TestWhatNeedsARestartWaitsForOne(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	b.log()
	more := b.spec(thingNamed("a"), thingNamed("b"))
	if _, err := b.agent.Adjust(context.Background(), more); err == nil || !strings.Contains(err.Error(), "clusvcadm -R service:shop") {
		t.Error(err)
	}
	if got := b.log(); got != "" {
		t.Error(got)
	}
	b.want(more, agents.Running)
	if result := b.stop(more); !result.OK || b.log() != "stop a" {
		t.Errorf("%+v", result)
	}
}

func TestAReloadThatFailsIsTold(t *testing.T) {
	b := newBench(t)
	b.mustStart(b.spec(colored("a", "red")))
	b.write("reload-agent.thing-a", "exit 1")
	if _, err := b.agent.Adjust(context.Background(), b.spec(colored("a", "blue"))); err == nil || !strings.Contains(err.Error(), "could not be changed in place") {
		t.Error(err)
	}
}
