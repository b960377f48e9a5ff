package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/systemd"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/quorum/gossip"
)

// ErrAgain is returned by Run when the daemon has to be started again at once, in
// the same process: its log was put aside, or is to go on otherwise. VMs run on.
var ErrAgain = membership.ErrAgain

// Run starts everything, and returns when the context ends (nil) or when the
// daemon has to stop by itself. VMs are never touched by its end.
func (d *Daemon) Run(parent context.Context) error {
	ctx, end := context.WithCancelCause(parent)
	d.end = end
	defer end(nil)
	d.onClose("agent", d.agent.Close)
	err := d.takeLogOver()
	if err == nil {
		err = d.open(ctx)
	}
	if err != nil {
		end(err)
		d.close()
		d.work.Wait()
		return err
	}
	for _, part := range d.loops() {
		d.work.Go(func() { part.run(ctx) })
	}
	systemd.Tell("READY=1", "STATUS=up as "+d.name)
	d.logger.Info("clusterd is up", "node", d.name, "address", d.address, "version", Version, "boot", d.boot)
	<-ctx.Done()
	systemd.Tell("STOPPING=1")
	d.close()
	d.work.Wait()
	if cause := context.Cause(ctx); parent.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// takeLogOver carries out, before the log is opened, what a start of the daemon
// before this one had decided: to go on alone, or to begin with an empty log.
func (d *Daemon) takeLogOver() error {
	if err := d.returning.SetLogAside(); err != nil {
		return err
	}
	if err := d.book.Find(); err != nil || d.book.Lost() != nil {
		return err
	}
	return d.pair.TakeLogOver()
}

// open brings up the links in the order in which they need each other.
func (d *Daemon) open(ctx context.Context) error {
	tools, err := d.openWire(ctx)
	if err != nil {
		return err
	}
	d.onClose("wire", d.wire.Close)
	if err := d.openLog(); err != nil {
		return err
	}
	if err := d.wire.Answer(d.answerStanding(ctx)); err != nil {
		return err
	}
	if err := d.openPulse(); err != nil {
		return err
	}
	if d.options.Links != nil {
		return nil
	}
	return d.openServer(ctx, tools)
}

func (d *Daemon) openLog() error {
	wire, err := d.logWire()
	if err != nil {
		return err
	}
	options := quorum.Options{
		ID: d.name, Address: d.address, DataDir: d.logDir(), Wire: wire, Profile: d.pace.AtStart(), Logger: d.logger,
		Unfit:         d.replica.unfit,
		Cut:           func(why string) { d.book.Lose(message.Words(why)) },
		Fatal:         func(reason string) { d.fatal("the log's disk hangs: " + reason) },
		HealthChanged: d.ears.VolumeChanged,
	}
	if options.DataDir != "" {
		options.Life, options.Mark, options.Memory = d.book.Life(), d.book.Mark, d.book
	}
	if d.book.Place().Founder {
		options.Bootstrap = []quorum.Member{{ID: d.name, Address: d.address, Voter: true}}
	}
	if d.log, err = quorum.Open(options, d.replica); errors.Is(err, quorum.ErrUnreadable) {
		return fmt.Errorf("%w; the lines before this one say why. If files of it are broken, %s", err,
			logbook.Advice(d.options.Folder))
	} else if err != nil {
		return err
	}
	d.onClose("log", func() error {
		d.log.Close()
		return nil
	})
	return nil
}

func (d *Daemon) openPulse() error {
	packets, err := d.listenPackets()
	if err != nil {
		return err
	}
	wire := d.wire
	if d.book.Lost() != nil {
		wire = d.shutWire // it answers no test: a daemon without its log is as good as silent
	}
	d.pulse, err = quorum.OpenPulse(quorum.PulseOptions{
		ID: d.name, Packets: packets, Wire: wire, Profile: d.pace.Followed(), Logger: d.logger,
		ProbeKernel: d.options.ProbeKernel,
		State: func() quorum.Beat {
			return quorum.Beat{Incarnation: d.admission.Incarnation(), Generation: d.replica.Root().Generation,
				Applied: d.log.Applied(), Held: d.log.Held()}
		},
	})
	if err != nil {
		return err
	}
	d.onClose("pulse", d.pulse.Close)
	return nil
}

// openGossip is best effort: gossip finds members and decides nothing.
func (d *Daemon) openGossip() {
	listen := membership.WithPort(d.address, d.options.Node.GossipPort)
	opened, err := gossip.Open(gossip.Options{ID: d.name, Cluster: d.membership.ID, Listen: listen,
		Keys: [][]byte{d.gossipKey}, Meta: []byte(d.address), Logger: d.logger})
	if err != nil {
		d.warnings.Set("gossip", fmt.Sprintf("cannot gossip on %s: %v", listen, err))
		return
	}
	d.gossip = opened
}

// part is something that a daemon does all the time, by the name under which it is told of.
type part struct {
	name string
	run  func(context.Context)
}

// loops are what a daemon does at once. Each returns when its context ends. Only one decides; the
// others bring in what happened, or carry out what was decided.
func (d *Daemon) loops() []part {
	return []part{
		{"steps of the mind", d.loop},
		{"leadership", d.watchRole},
		{"admission", d.admission.Run},

		{"hints of the hypervisor", d.ears.WatchAgent},
		{"answers of the hypervisor", d.ears.KeepAsking},
		{"capacity of this host", d.ears.KeepMeasuring},
		{"first answers of guests", d.ears.ProbeGuests},
		{"managed VMs for the doorkeeper", d.door.KeepManaged},

		{"networks of guests", d.keepNetworks},

		{"fence devices", d.executor.CheckDevices},
		{"drills", d.fencing.KeepDrills},
		{"boots that were cut off", d.fencing.WatchCut},
		{"this host's watchdog", d.guard.KeepKeeper},
		{"this host's keys on disks", d.guard.KeepKeys},
		{"giving up when cut off", d.guard.KeepYield},

		{"members of the log", d.roll.Run},
		{"removal while this node was down", d.returning.KeepStanding},
		{"two nodes", d.pair.Run},
		{"a cluster that went on alone", d.returning.KeepRejoining},
		{"how far the log goes", d.book.KeepHeld},
		{"comparing States", d.comparing.Run},
		{"moving a quiet log", d.keepNudging},

		{"links", d.keepLinks},
		{"keys of strangers", d.registry.Run},
		{"certificate", d.own.KeepCertificate},
		{"rotation of keys", d.own.KeepRotation},

		{"alerts", d.keepAlerts},
		{"audit trail", d.keepTrail},
		{"the page's picture", d.page.Run},
		{"the page", d.keepPage},
		{"records of plans", d.plans.Run},
		{"what is counted", d.count},
	}
}

// closing is what has to be ended, by the name under which it is told of.
type closing struct {
	name string
	end  func() error
}

// slowEnd is how long an end may take before it is told of.
const slowEnd = 2 * time.Second

// onClose has something ended by close. What was opened last ends first: it stands on the others.
func (d *Daemon) onClose(name string, end func() error) {
	d.closings = append(d.closings, closing{name, end})
}

func (d *Daemon) close() {
	for len(d.closings) > 0 {
		last := d.closings[len(d.closings)-1]
		d.closings = d.closings[:len(d.closings)-1]
		began := time.Now()
		err := last.end()
		if took := time.Since(began); took > slowEnd {
			d.logger.Warn("ending a part of clusterd took long", "part", last.name, "took", took)
		}
		if err != nil {
			d.logger.Debug("ending a part of clusterd failed", "part", last.name, "error", err)
		}
	}
}
