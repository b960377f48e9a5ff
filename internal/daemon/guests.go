package daemon

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/resources"
)

// keepManaged tells the doorkeeper which VMs are managed.
func (d *Daemon) keepManaged(ctx context.Context) {
	if d.options.Managed == nil {
		return
	}
	var told []string
	first := true
	for {
		changed := d.replica.Changed()
		uuids := managed(d.replica.Root())
		if d.incarnation.Load() != 0 && (first || !slices.Equal(uuids, told)) {
			if err := d.options.Managed(uuids); err != nil {
				d.warnings.Set("doorkeeper", "the list of managed VMs could not be written: "+err.Error())
			} else {
				first, told = false, uuids
				d.warnings.Set("doorkeeper", "")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(5 * time.Second):
		}
	}
}

func managed(root *cluster.State) []string {
	var uuids []string
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		uuids = append(uuids, strings.ToLower(service.Spec.UUID))
	}
	uuids = append(uuids, root.Tombstones.Keys()...)
	slices.Sort(uuids)
	return uuids
}

const (
	// probeFor bounds how long a guest is waited for, probeEvery how often it is asked.
	probeFor   = cluster.ReadyWithin
	probeEvery = 50 * time.Millisecond
	// probesAtOnce bounds the guests that are being waited for.
	probesAtOnce = 64
)

// probeGuests tells when a guest first answers after its start. It tells the
// story; it never decides anything.
func (d *Daemon) probeGuests(ctx context.Context) {
	seen := map[string]uint64{}
	slots := make(chan struct{}, probesAtOnce)
	for {
		changed := d.replica.Changed()
		root := d.replica.Root()
		maps.DeleteFunc(seen, func(name string, _ uint64) bool { return !root.Services.Has(name) })
		for _, name := range root.Services.Keys() {
			service, _ := root.Services.Get(name)
			if service.State != resources.Started || service.Owner != d.name || service.Spec.Probe == "" ||
				seen[name] == service.Since {
				continue
			}
			seen[name] = service.Since
			select {
			case slots <- struct{}{}:
				d.work.Go(func() {
					defer func() { <-slots }()
					d.probe(ctx, service)
				})
			default:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (d *Daemon) probe(ctx context.Context, service cluster.Service) {
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	network, address, found := strings.Cut(service.Spec.Probe, ":")
	if !found {
		return
	}
	for !answers(ctx, network, address) {
		if !sleep.For(ctx, probeEvery) {
			return
		}
		if now, known := d.replica.Root().Services.Get(service.Spec.Name); !known || now.Owner != d.name ||
			now.Since != service.Since {
			return
		}
	}
	if _, err := d.propose(ctx, cluster.Probed{Service: service.Spec.Name, Node: d.name, At: time.Now()}); err != nil {
		d.logger.Debug("the guest's answer was not recorded", "service", service.Spec.Name, "error", err)
	}
}

// answers asks a guest once: a TCP connect, or any answer to a UDP datagram.
func answers(ctx context.Context, network, address string) bool {
	dialer := net.Dialer{Timeout: 200 * time.Millisecond}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	defer conn.Close()
	if network == "tcp" {
		return true
	}
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := conn.Write([]byte("clusterd?")); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 512))
	return err == nil && n > 0
}
