package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// thing is an agent that does what the test's files tell it: it writes each
// action to the log, runs a file named after action and resource where there is
// one, and otherwise works.
const thing = `#!/bin/sh
me=$OCF_RESOURCE_INSTANCE
[ "$1" = meta-data ] && { cat <<END
<?xml version="1.0"?>
<resource-agent name="thing" version="1.0"><parameters>
<parameter name="color" required="0" reloadable="1"><content type="string"/></parameter>
</parameters><actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="reload-agent" timeout="20s"/>
<action name="monitor" timeout="20s" interval="1h"/>
</actions></resource-agent>
END
exit 0; }
dir=DIR
[ "$1" = monitor ] || echo "$1 $me" >>$dir/log
[ -x "$dir/$1.$me" ] && { . "$dir/$1.$me"; }
case $1 in
start) touch $dir/run.$me ;;
stop) rm -f $dir/run.$me ;;
monitor) [ -e $dir/run.$me ] || exit 7 ;;
reload-agent) ;;
*) exit 3 ;;
esac
`

type bench struct {
	t       *testing.T
	dir     string
	options Options
	agent   *Agent
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, dir: dir,
		options: Options{Node: "test-" + filepath.Base(filepath.Dir(dir)) + strconv.Itoa(os.Getpid()), Boot: "boot-1",
			Folder:  filepath.Join(dir, "records"),
			Folders: dialect.Folders{OCF: filepath.Join(dir, "ocf"), Scratch: filepath.Join(dir, "scratch")}}}
	b.write("ocf/resource.d/test/thing", strings.ReplaceAll(thing, "DIR", dir))
	b.open()
	t.Cleanup(func() {
		_ = b.agent.Close()
		for _, s := range b.agent.services {
			b.agent.places.Clear(s.home(), time.Second)
			b.agent.places.Remove(s.home())
		}
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			left, err := filepath.Glob(filepath.Join(mount, groupName(b.options), "*", "cgroup.procs"))
			if err != nil || len(left) > 0 {
				t.Errorf("control groups are left: %v %v", left, err)
			}
		}
	})
	return b
}

// open makes the agent, as a daemon that begins does.
func (b *bench) open() {
	b.t.Helper()
	if b.agent != nil {
		_ = b.agent.Close()
	}
	var err error
	if b.agent, err = New(b.options); err != nil {
		b.t.Fatal(err)
	}
}

// write puts a program into the bench. Another goroutine that forks meanwhile
// would hold it open, and it could not be run: so it is renamed into its place.
func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) remove(name string) {
	b.t.Helper()
	if err := os.Remove(filepath.Join(b.dir, name)); err != nil {
		b.t.Fatal(err)
	}
}

// log returns what the agents were asked for, and begins a new one.
func (b *bench) log() string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(b.dir, "log"))
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ", "), "thing-", "")
}

func (b *bench) spec(tree ...resources.Resource) resources.Spec {
	return spec("service:shop", tree...)
}

func spec(name string, tree ...resources.Resource) resources.Spec {
	_, hash := resources.TreeDefinition(tree)
	return resources.Spec{Name: name, UUID: resources.ServiceUUID(name), Tree: tree, Definition: hash}
}

func thingNamed(name string, children ...resources.Resource) resources.Resource {
	return resources.Resource{Type: "ocf:test:thing", Name: name, Children: children}
}

func (b *bench) start(spec resources.Spec) agents.Result {
	b.t.Helper()
	text, _ := resources.TreeDefinition(spec.Tree)
	return b.agent.Start(context.Background(), agents.Act{Spec: spec, Definition: text})
}

func (b *bench) mustStart(spec resources.Spec) {
	b.t.Helper()
	if result := b.start(spec); !result.OK || result.Source != agents.Running {
		b.t.Fatalf("start: %+v", result)
	}
}

func (b *bench) stop(spec resources.Spec) agents.Result {
	b.t.Helper()
	return b.agent.Stop(context.Background(), agents.Act{Spec: spec})
}

func (b *bench) want(spec resources.Spec, condition agents.Condition) agents.Observation {
	b.t.Helper()
	seen := b.agent.Look(context.Background(), spec)
	if seen.Condition != condition {
		b.t.Fatalf("it is %s (%s), want %s", seen.Condition, seen.Reason, condition)
	}
	return seen
}

// next waits for the next change that the agent tells.
func (b *bench) next() agents.Observation {
	b.t.Helper()
	select {
	case o := <-b.agent.Changes():
		return o
	case <-time.After(10 * time.Second):
		b.t.Fatal("no change was told in 10s")
	}
	return agents.Observation{}
}

func TestATreeStartsFromItsRootAndStopsToIt(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a", thingNamed("b"), thingNamed("c")), thingNamed("d"))
	b.want(shop, agents.Absent)
	b.mustStart(shop)
	if got := b.log(); got != "start a, start b, start c, start d" {
		t.Error(got)
	}
	b.want(shop, agents.Running)
	if result := b.stop(shop); !result.OK || result.Source != agents.Absent {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "stop d, stop c, stop b, stop a" {
		t.Error(got)
	}
	b.want(shop, agents.Absent)
}

func TestAnotherDefinitionIsNotStarted(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	result := b.agent.Start(context.Background(), agents.Act{Spec: shop, Definition: "[]"})
	if result.OK || b.log() != "" {
		t.Errorf("%+v", result)
	}
}

func TestAStartThatFailsIsUndone(t *testing.T) {
	b := newBench(t)
	b.write("start.thing-c", "echo no such port >&2; exit 1")
	shop := b.spec(thingNamed("a", thingNamed("b")), thingNamed("c"), thingNamed("d"))
	result := b.start(shop)
	if result.OK || result.Source != agents.Absent || !strings.Contains(result.Why, "no such port") {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "start a, start b, start c, stop c, stop b, stop a" {
		t.Error(got)
	}
	b.want(shop, agents.Absent)
}

func TestAStartThatIsNotWantedAnyMoreIsUndone(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"), thingNamed("b"))
	text, _ := resources.TreeDefinition(shop.Tree)
	asked := 0
	result := b.agent.Start(context.Background(), agents.Act{Spec: shop, Definition: text, StillWanted: func() error {
		if asked++; asked > 2 {
			return errors.New("another intent is in force")
		}
		return nil
	}})
	if result.OK || result.Source != agents.Absent || b.log() != "start a, stop a" {
		t.Errorf("%+v", result)
	}
}

// A failed stop is the worst that can happen: what is there is known to be
// unclean, nothing above it is stopped, and nothing is called absent.
func TestAStopThatFailsLeavesItBroken(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a", thingNamed("b")), thingNamed("c"))
	b.mustStart(shop)
	b.log()
	b.write("stop.thing-b", "exit 1")
	result := b.stop(shop)
	if result.OK || result.Source != agents.Broken || !strings.Contains(result.Why, "thing b") {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "stop c, stop b, stop b" {
		t.Error(got)
	}
	b.want(shop, agents.Broken)
	b.remove("stop.thing-b")
	if result := b.stop(shop); !result.OK {
		t.Errorf("%+v", result)
	}
	if got := b.log(); got != "stop b, stop a" {
		t.Error(got)
	}
}

// The agent says "error", and then that nothing runs: that is proof enough.
func TestAStopThatFailsOfWhatIsGoneIsAStop(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	b.remove("run.thing-a")
	b.write("stop.thing-a", "exit 1")
	if result := b.stop(shop); !result.OK {
		t.Errorf("%+v", result)
	}
}

func TestTheNextDaemonAdoptsWhatRuns(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a", thingNamed("b")))
	b.mustStart(shop)
	b.log()
	b.open()
	found, err := b.agent.Inventory(context.Background())
	if err != nil || len(found) != 1 || found[0].Condition != agents.Running || found[0].UUID != shop.UUID ||
		found[0].Service != "service:shop" {
		t.Fatalf("%v, %+v", err, found)
	}
	if got := b.log(); got != "" {
		t.Errorf("a restart of the daemon did: %s", got)
	}
	// A resource that died while no daemon was there is found.
	b.open()
	b.remove("run.thing-b")
	if found, err = b.agent.Inventory(context.Background()); err != nil || len(found) != 1 ||
		found[0].Condition != agents.Broken {
		t.Fatalf("%v, %+v", err, found)
	}
}

func TestABootForgetsWhatWasStarted(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	b.options.Boot = "boot-2"
	b.remove("run.thing-a")
	b.open()
	if found, err := b.agent.Inventory(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("%v, %+v", err, found)
	}
	b.want(shop, agents.Absent)
}

func TestWhatNobodyStartedIsFound(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"), thingNamed("b"))
	b.write("run.thing-a", "")
	seen := b.want(shop, agents.Broken)
	if !strings.Contains(seen.Reason, "1 of its 2 resources") {
		t.Error(seen.Reason)
	}
	if result := b.stop(shop); !result.OK || b.log() != "stop a" {
		t.Errorf("%+v", result)
	}
	b.write("run.thing-a", "")
	b.write("run.thing-b", "")
	b.want(shop, agents.Running)
	if got := b.log(); got != "" {
		t.Error(got)
	}
}

func TestAnAgentThatCannotTellProvesNothing(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.write("monitor.thing-a", "exit 1")
	b.want(shop, agents.Unknown)
}

func TestASharedResourceIsStartedOnceAndStoppedLast(t *testing.T) {
	b := newBench(t)
	shared := thingNamed("s")
	shared.Shared = true
	one, two := spec("service:one", shared, thingNamed("x")), spec("service:two", shared, thingNamed("y"))
	b.mustStart(one)
	b.mustStart(two)
	b.open() // the count survives the daemon
	b.stop(one)
	b.want(one, agents.Absent)
	b.want(two, agents.Running)
	b.stop(two)
	if got := b.log(); got != "start s, start x, start y, stop x, stop y, stop s" {
		t.Error(got)
	}
}

func TestServicesDoNotMoveLive(t *testing.T) {
	b := newBench(t)
	shop := b.spec(thingNamed("a"))
	b.mustStart(shop)
	ctx := context.Background()
	if result := b.agent.Migrate(ctx, agents.Act{Spec: shop, Target: "node2"}); result.OK ||
		result.Source != agents.Running {
		t.Errorf("%+v", result)
	}
	if result := b.agent.Pause(ctx, shop); result.OK {
		t.Errorf("%+v", result)
	}
	if result := b.agent.Resume(ctx, shop); !result.OK {
		t.Errorf("%+v", result)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *bench) exists(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, name))
	return err == nil
}

// peek is the log without beginning a new one.
func (b *bench) peek() string {
	return strings.ReplaceAll(strings.TrimSpace(b.read("log")), "thing-", "")
}

// A node that has seen many services come and go has room for more.
func TestServicesThatAreGoneAreForgotten(t *testing.T) {
	b := newBench(t)
	kept := spec("service:kept", thingNamed("k"))
	b.mustStart(kept)
	for number := range maxServices + 10 {
		b.agent.known(spec("service:gone" + strconv.Itoa(number)))
	}
	b.want(kept, agents.Running)
	b.want(b.spec(thingNamed("a")), agents.Absent)
	if known := len(b.agent.services); known > maxServices {
		t.Errorf("%d services are known", known)
	}
}
