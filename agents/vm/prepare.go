//go:build cgo

package vm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/arrival"
	"github.com/clusterd/clusterd/resources"
)

// promiseLife is how long memory is kept for a VM that was promised a place here. By then its copy
// takes memory itself, and the kernel counts that.
const promiseLife = 30 * time.Second

// promises are the bytes of memory that were promised to VMs on their way here, by UUID.
type promises struct {
	mu   sync.Mutex
	made map[string]promise
}

type promise struct {
	bytes uint64
	until time.Time
}

// besides is what is promised to others than a VM.
func (p *promises) besides(uuid string, now time.Time) (bytes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, made := range p.made {
		switch {
		case !now.Before(made.until):
			delete(p.made, other)
		case other != uuid:
			bytes += made.bytes
		}
	}
	return bytes
}

func (p *promises) make(uuid string, bytes uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		p.made = map[string]promise{}
	}
	p.made[uuid] = promise{bytes: bytes, until: now.Add(promiseLife)}
}

// Prepare says whether this host can take a VM live, with all that stands in the way at once. It
// only reads. Where it finds nothing it promises the memory for a while.
func (a *Agent) Prepare(ctx context.Context, prepare agents.Act) agents.Result {
	spec := prepare.Spec.WithDefaults()
	uuid := strings.ToLower(spec.UUID)
	var needs arrival.Needs
	if prepare.Definition != "" { // what was taken in by hand may have none that is kept
		var err error
		if needs, err = arrival.NeedsOf(prepare.Definition); err != nil {
			return agents.Result{Source: agents.Unknown, Why: err.Error()}
		}
	}
	needs = needs.Without(prepare.Bridges)
	s, err := a.session(ctx)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: fmt.Sprintf("libvirt on %s cannot be asked: %v",
			a.options.Node, err)}
	}
	defer s.close()
	seen := a.lookOn(ctx, s, uuid)
	switch seen.Condition {
	case agents.Absent:
	case agents.Unknown:
		return agents.Result{Source: seen.Condition, Why: "whether a copy of it is here is not known: " + describe(seen)}
	default:
		return agents.Result{Source: seen.Condition, Why: "a copy of it is here already: " + describe(seen)}
	}
	now := time.Now()
	blockers := a.host.Blockers(ctx, needs, a.promised.besides(uuid, now))
	blockers = append(blockers, hypervisorBlockers(ctx, s, needs)...)
	later := a.host.PostCopy(a.options.QEMUUser)
	if prepare.Move.Mode == resources.MovePostCopy {
		blockers = append(blockers, later...)
	}
	if len(blockers) > 0 {
		return agents.Result{Source: agents.Absent, Why: arrival.Sentence(blockers)}
	}
	if !prepare.Rehearsed {
		a.promised.make(uuid, needs.Memory, now)
	}
	ready := agents.Result{OK: true, Source: agents.Absent, Why: needs.Found()}
	if prepare.Move.Mode == resources.MoveHybrid && len(later) > 0 {
		ready.OnlyPreCopy, ready.Why = true, arrival.Sentence(later)
	}
	return ready
}

// hypervisorBlockers are those that libvirt knows of. What it does not tell is no blocker: the move
// itself will say.
func hypervisorBlockers(ctx context.Context, s *session, needs arrival.Needs) []arrival.Blocker {
	var list []arrival.Blocker
	for _, check := range []func(*libvirt.Connect, arrival.Needs) []arrival.Blocker{nameTaken, unknownMachine,
		otherProcessor, inactiveNames} {
		found, err := ask(ctx, s, func(conn *libvirt.Connect) ([]arrival.Blocker, error) {
			return check(conn, needs), nil
		}, nil)
		if err != nil {
			return append(list, arrival.Blocker{What: fmt.Sprintf("libvirt does not answer: %v", plain(err)),
				Do: "look at libvirtd of this node"})
		}
		list = append(list, found...)
	}
	return list
}

// nameTaken finds another VM of the name, running or only defined.
func nameTaken(conn *libvirt.Connect, needs arrival.Needs) []arrival.Blocker {
	domain, err := conn.LookupDomainByName(needs.Title)
	if err != nil {
		return nil
	}
	defer func() { _ = domain.Free() }()
	other, err := domain.GetUUIDString()
	if err != nil || strings.EqualFold(other, needs.UUID) {
		return nil
	}
	return []arrival.Blocker{{What: fmt.Sprintf("another VM is called %s here (%s)", needs.Title, other),
		Do: "rename or undefine it"}}
}

// unknownMachine asks for what the emulator can do with this kind of machine, which fails where
// it has none such.
func unknownMachine(conn *libvirt.Connect, needs arrival.Needs) []arrival.Blocker {
	_, err := conn.GetDomainCapabilities(needs.Emulator, needs.Arch, needs.Machine, needs.Type, 0)
	if err == nil || !refuses(err) {
		return nil
	}
	return []arrival.Blocker{{What: fmt.Sprintf("machine type %s (%s) cannot be run here: %v", needs.Machine, needs.Type,
		plain(err)), Do: "bring this node's QEMU and KVM to the level of the node where the VM runs"}}
}

// refuses reports whether libvirt says that something cannot be, not that it could not find out.
func refuses(err error) bool {
	answer, is := err.(libvirt.Error)
	return is && (answer.Code == libvirt.ERR_INVALID_ARG || answer.Code == libvirt.ERR_CONFIG_UNSUPPORTED ||
		answer.Code == libvirt.ERR_NO_SUPPORT)
}

// otherProcessor compares the model that a definition names with what this hypervisor can give.
// Without KVM there is nothing to compare: QEMU then emulates every model alike on every host.
func otherProcessor(conn *libvirt.Connect, needs arrival.Needs) []arrival.Blocker {
	if needs.CPU == "" || needs.Type != "kvm" {
		return nil
	}
	verdict, err := conn.CompareHypervisorCPU(needs.Emulator, needs.Arch, needs.Machine, needs.Type, needs.CPU, 0)
	if err != nil || verdict != libvirt.CPU_COMPARE_INCOMPATIBLE {
		return nil
	}
	return []arrival.Blocker{{What: "the processor here lacks what the VM was started with",
		Do: "give the VM a model that all its nodes have (`virsh hypervisor-cpu-baseline`), and restart it"}}
}

// inactiveNames finds networks and pools of libvirt's that are not there.
func inactiveNames(conn *libvirt.Connect, needs arrival.Needs) []arrival.Blocker {
	var list []arrival.Blocker
	for _, kind := range []struct {
		what, start string
		names       []string
		active      func(*libvirt.Connect, string) (bool, error)
	}{{"network", "virsh net-start", needs.Networks, activeNetwork}, {"pool", "virsh pool-start", needs.Pools,
		activePool}} {
		for _, name := range kind.names {
			if active, err := kind.active(conn, name); err == nil && !active {
				list = append(list, arrival.Blocker{What: fmt.Sprintf("libvirt's %s %s is not active", kind.what, name),
					Do: fmt.Sprintf("run `%s %s`", kind.start, name)})
			}
		}
	}
	return list
}
