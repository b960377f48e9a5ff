package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// bmc is the fence driver of one daemon.
type bmc struct {
	world  *world
	fencer string
}

func (b bmc) Validate(fence.Device) error { return nil }

func (b bmc) Check(_ context.Context, device fence.Device) fence.Check {
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	power := fence.PowerOff
	if b.world.hosts[device.Address].on {
		power = fence.PowerOn
	}
	if b.world.telltale {
		return fence.Check{Power: power, Identity: hardwareOf(device.Address), Problem: refusing(device)}
	}
	return fence.Check{Power: power, Identity: hardwareOf(device.Address)}
}

func (b bmc) Fence(ctx context.Context, request fence.Request) fence.Result {
	b.world.mu.Lock()
	dial := b.world.dial
	b.world.mu.Unlock()
	if !sleep.For(ctx, dial) {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"no answer in time"}}
	}
	if err := request.StillWanted(); err != nil {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{err.Error()}}
	}
	b.world.mu.Lock()
	unproven, telltale := b.world.unproven[request.Target.Node], b.world.telltale
	if !unproven {
		b.world.shots = append(b.world.shots, shot{b.fencer, request.Target.Node, time.Now()})
	}
	b.world.mu.Unlock()
	if telltale {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{refusing(request.Device)}}
	}
	if unproven {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"the BMC does not answer"}}
	}
	b.world.powerOff(request.Target.Node)
	if !sleep.For(ctx, fenceTakes) || request.SignOfLife() {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"a sign of life came"}}
	}
	return fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off, off"}}
}

func refusing(device fence.Device) string {
	return fmt.Sprintf("wrong password %s, %q", device.Password.Reveal(), device.Password.Reveal())
}

func (b bmc) PowerOn(context.Context, fence.Device) error { return nil }

// probeKernel answers as the kernels of the hosts would.
func (w *world) probeKernel(from string) func(context.Context, quorum.Peer) (quorum.Answer, string) {
	return func(ctx context.Context, peer quorum.Peer) (quorum.Answer, string) {
		w.mu.Lock()
		answers := w.hosts[peer.ID].on && w.reach(from, peer.ID)
		w.mu.Unlock()
		if answers {
			return quorum.Answers, "echo"
		}
		<-ctx.Done()
		return quorum.Silent, "no echo"
	}
}

func hardwareOf(node string) string {
	return fmt.Sprintf("4c4c4544-0000-4000-8000-00000000000%c", node[len(node)-1])
}
