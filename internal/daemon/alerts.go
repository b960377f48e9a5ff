package daemon

import (
	"context"
	"reflect"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
)

// teller makes one attempt to tell an alert; tests have their own.
type teller func(ctx context.Context, alert cluster.Alert, m alerts.Message) error

// alertsEvery is how often it is looked which alerts are this node's, where no
// change of the State says so: leadership is not in the State.
const alertsEvery = time.Second

// running is one alert that this node tells.
type running struct {
	alert cluster.Alert
	stop  context.CancelFunc
	done  chan struct{}
}

// keepAlerts tells events to the alerts that are this node's. It reads what was
// applied and writes cursors: nothing of the loop, the mind or the hands ever
// waits for it.
func (d *Daemon) keepAlerts(ctx context.Context) {
	told := map[string]running{}
	defer func() {
		for _, r := range told {
			<-r.done // they end with the context
		}
	}()
	ticker := time.NewTicker(alertsEvery)
	defer ticker.Stop()
	for {
		changed := d.replica.Changed()
		d.tellAlerts(ctx, told)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

// tellAlerts starts and ends runners so that they are what the document says.
func (d *Daemon) tellAlerts(ctx context.Context, told map[string]running) {
	root := d.replica.Root()
	for name, r := range told {
		if alert := root.Document.Alerts[name]; alerts.Teller(root, alert, d.role.Load().leader) != d.name ||
			!reflect.DeepEqual(alert, r.alert) {
			r.stop()
			<-r.done
			delete(told, name)
		}
	}
	for name, alert := range root.Document.Alerts {
		_, runs := told[name]
		if runs || alerts.Teller(root, alert, d.role.Load().leader) != d.name || !root.Alerts.Has(name) {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		r := running{alert: alert, stop: stop, done: make(chan struct{})}
		told[name] = r
		go func() {
			defer close(r.done)
			(&alerts.Runner{Alert: alert, Node: d.name, State: d.replica.Root, Changed: d.replica.Changed,
				Send: d.tell, Note: d.noteTold}).Run(ctx)
		}()
	}
}

// noteTold writes a cursor. A cursor that is refused was written by another node,
// or its alert is gone: there is nothing to write again.
func (d *Daemon) noteTold(ctx context.Context, told cluster.Told) error {
	applied, err := d.propose(ctx, told)
	if err == nil && !applied.Refused[0].IsZero() {
		d.logger.Debug("an alert's cursor was refused", "alert", told.Alert, "why", applied.Refused[0])
	}
	if told.Problem != "" {
		d.logger.Warn("an alert does not work", "alert", told.Alert, "failed", told.Failed, "dropped", told.Dropped, "why",
			told.Problem)
	}
	return err
}

// tell sends an alert with its secrets open.
func (d *Daemon) tell(ctx context.Context, alert cluster.Alert, m alerts.Message) error {
	opened, err := d.vault.OpenAlert(alert)
	if err != nil {
		return err
	}
	return d.teller(ctx, opened, m)
}
