package ears

import (
	"context"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/resources"
)

const (
	// probeFor bounds how long a guest is waited for, probeEvery how often it is asked.
	probeFor   = cluster.ReadyWithin
	probeEvery = 50 * time.Millisecond
	// probesAtOnce bounds the guests that are being waited for.
	probesAtOnce = 64
)

// ProbeGuests tells when a guest first answers after its start. It tells the
// story; it never decides anything.
func (e *Ears) ProbeGuests(ctx context.Context) {
	seen := map[string]uint64{}
	slots := make(chan struct{}, probesAtOnce)
	for {
		changed := e.Log.Changed()
		root := e.Log.Root()
		maps.DeleteFunc(seen, func(name string, _ uint64) bool { return !root.Services.Has(name) })
		for _, name := range root.Services.Keys() {
			service, _ := root.Services.Get(name)
			if service.State != resources.Started || service.Owner != e.Node || service.Spec.Probe == "" ||
				seen[name] == service.Since {
				continue
			}
			seen[name] = service.Since
			select {
			case slots <- struct{}{}:
				e.Go(func() {
					defer func() { <-slots }()
					e.probe(ctx, service)
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

func (e *Ears) probe(ctx context.Context, service cluster.Service) {
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
		if now, known := e.Log.Root().Services.Get(service.Spec.Name); !known || now.Owner != e.Node ||
			now.Since != service.Since {
			return
		}
	}
	if _, err := e.Log.Propose(ctx, cluster.Probed{Service: service.Spec.Name, Node: e.Node, At: time.Now()}); err != nil {
		e.Logger.Debug("the guest's answer was not recorded", "service", service.Spec.Name, "error", err)
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
