package alerts

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// alertsEvery is how often it is looked which alerts are this node's, where no
// change of the State says so: leadership is not in the State.
const alertsEvery = time.Second

// Log is the replicated log, the State that follows from it, and who leads.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	Leader() string
}

// Keeper runs the alerts that are one node's to tell.
type Keeper struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Send makes one attempt.
	Send func(ctx context.Context, alert cluster.Alert, m Message) error
}

// running is one alert that this node tells.
type running struct {
	alert cluster.Alert
	stop  context.CancelFunc
	done  chan struct{}
}

// Run tells events to the alerts that are this node's. It reads what was
// applied and writes cursors: nothing of the loop, the mind or the hands ever
// waits for it.
func (k *Keeper) Run(ctx context.Context) {
	told := map[string]running{}
	defer func() {
		for _, r := range told {
			<-r.done // they end with the context
		}
	}()
	ticker := time.NewTicker(alertsEvery)
	defer ticker.Stop()
	for {
		changed := k.Log.Changed()
		k.tellAlerts(ctx, told)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

// tellAlerts starts and ends runners so that they are what the document says.
func (k *Keeper) tellAlerts(ctx context.Context, told map[string]running) {
	root := k.Log.Root()
	for name, r := range told {
		if alert := root.Document.Alerts[name]; Teller(root, alert, k.Log.Leader()) != k.Node ||
			!reflect.DeepEqual(alert, r.alert) {
			r.stop()
			<-r.done
			delete(told, name)
		}
	}
	for name, alert := range root.Document.Alerts {
		_, runs := told[name]
		if runs || Teller(root, alert, k.Log.Leader()) != k.Node || !root.Alerts.Has(name) {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		r := running{alert: alert, stop: stop, done: make(chan struct{})}
		told[name] = r
		go func() {
			defer close(r.done)
			(&Runner{Alert: alert, Node: k.Node, State: k.Log.Root, Changed: k.Log.Changed,
				Send: k.Send, Note: k.noteTold}).Run(ctx)
		}()
	}
}

// noteTold writes a cursor. A cursor that is refused was written by another node,
// or its alert is gone: there is nothing to write again.
func (k *Keeper) noteTold(ctx context.Context, told cluster.Told) error {
	refused, err := k.Log.Propose(ctx, told)
	if err == nil && !refused[0].IsZero() {
		k.Logger.Debug("an alert's cursor was refused", "alert", told.Alert, "why", refused[0])
	}
	if told.Problem != "" {
		k.Logger.Warn("an alert does not work", "alert", told.Alert, "failed", told.Failed, "dropped", told.Dropped, "why",
			told.Problem)
	}
	return err
}
