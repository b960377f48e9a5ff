package ears

import (
	"context"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// How often the hypervisor is asked whether it answers, how long it has for that, and how
// often in a row it may fail to.
const (
	hypervisorEvery    = 3 * time.Second
	hypervisorAnswers  = 3 * time.Second
	hypervisorFailures = 2
)

// mostOfAnError bounds what is said of a hypervisor in the log, in bytes: the log refuses what
// is longer.
const mostOfAnError = 300

// KeepAsking asks the hypervisor, and tells the mind of each change.
func (e *Ears) KeepAsking(ctx context.Context) {
	agent, able := e.Agent.(agents.Answering)
	if !able {
		return
	}
	probe := hypervisorProbe{ask: agent.Answers, clock: hostClock, tell: func(why string) {
		e.Hear(func(in *mind.Input) { in.Hypervisor = &why })
	}}
	probe.run(ctx)
}

// clock is how time passes for a loop.
type clock struct {
	// sleep waits; it reports whether the loop goes on.
	sleep func(ctx context.Context, wait time.Duration) bool
	// limit bounds what is begun now.
	limit func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc)
}

// hostClock is the host's own.
var hostClock = clock{sleep: sleep.For, limit: context.WithTimeout}

// hypervisorProbe asks one hypervisor again and again. One question that fails is no news:
// a libvirtd that is restarted answers the next one.
type hypervisorProbe struct {
	// ask returns nil when it was answered. It heeds its context, however the hypervisor hangs.
	ask   func(ctx context.Context) error
	clock clock
	// tell is told of each change: what the hypervisor does not answer, "" once it answers again.
	tell func(why string)

	failed int // in a row
	known  string
}

// run asks until ctx ends.
func (p *hypervisorProbe) run(ctx context.Context) {
	for p.clock.sleep(ctx, hypervisorEvery) {
		asking, cancel := p.clock.limit(ctx, hypervisorAnswers)
		err := p.ask(asking)
		cancel()
		if ctx.Err() != nil {
			return // the daemon stops, which says nothing about the hypervisor
		}
		p.answered(err)
	}
}

// answered takes in the end of one question.
func (p *hypervisorProbe) answered(err error) {
	why := p.known
	if p.failed++; err == nil {
		p.failed, why = 0, ""
	} else if p.failed >= hypervisorFailures && p.known == "" {
		why = shortened(err.Error(), mostOfAnError)
	}
	if why != p.known {
		p.known = why
		p.tell(why)
	}
}

// shortened cuts a text to a number of bytes, and no letter in two.
func shortened(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// capacityEvery is how often a host is measured: what it has changes when somebody plugs memory in,
// takes a processor out of use or sets huge pages aside.
const capacityEvery = time.Minute

// KeepMeasuring tells the mind what this host has.
func (e *Ears) KeepMeasuring(ctx context.Context) {
	if e.Capacity == nil {
		return
	}
	for sleep.For(ctx, capacityEvery) {
		if has := e.Has(); has.Known() {
			e.Hear(func(in *mind.Input) { in.Capacity = &has })
		}
	}
}

// Has is what this host has; zero where it cannot be said, which warns.
func (e *Ears) Has() cluster.Capacity {
	if e.Capacity == nil {
		return cluster.Capacity{}
	}
	has, err := e.Capacity()
	if err != nil {
		e.Warnings.Set("capacity", "the memory of this host cannot be measured: "+err.Error())
		return cluster.Capacity{}
	}
	e.Warnings.Set("capacity", "")
	return has
}

// mostOfAVolume bounds what is said of a volume in the log.
const mostOfAVolume = 400

// VolumeChanged hears how the volume of the data folder is.
func (e *Ears) VolumeChanged(h quorum.Health) {
	why := h.Reason
	if h.Writable {
		why = h.Low
	}
	e.Warnings.Set("log volume", why)
	volume := cluster.Volume{Why: message.Words(shortened(why, mostOfAVolume)), Failing: !h.Writable}
	e.Hear(func(in *mind.Input) { in.Volume = &volume })
}
