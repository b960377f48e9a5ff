package daemon

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/internal/pki"
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
		if alert := root.Document.Alerts[name]; alertTeller(root, alert, d.role.Load().leader) != d.name ||
			!reflect.DeepEqual(alert, r.alert) {
			r.stop()
			<-r.done
			delete(told, name)
		}
	}
	for name, alert := range root.Document.Alerts {
		if _, runs := told[name]; runs || alertTeller(root, alert, d.role.Load().leader) != d.name || !root.Alerts.Has(name) {
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

// alertTeller is the node that tells an alert: the one named, or the leader.
func alertTeller(root *cluster.State, alert cluster.Alert, leader string) string {
	if alert.Node != "" && root.Nodes.Has(alert.Node) {
		return alert.Node
	}
	return leader
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

// alertList tells how each alert fares.
func (s *server) alertList(w http.ResponseWriter, _ *http.Request, _ caller) error {
	root, leader := s.daemon.replica.Root(), s.daemon.role.Load().leader
	list := api.Alerts{Alerts: []api.Alert{}}
	for _, name := range sortedNames(root.Document.Alerts) {
		alert := root.Document.Alerts[name]
		cursor, _ := root.Alerts.Get(name)
		list.Alerts = append(list.Alerts, api.Alert{Name: name, Way: wayOf(alert), Teller: alertTeller(root, alert, leader),
			Sent: cursor.Sent, Failed: cursor.Failed,
			Dropped: cursor.Dropped, Index: cursor.Index, At: cursor.At, Problem: cursor.Problem, Since: cursor.Since})
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// wayOf says in a word where an alert goes; a secret address is not shown.
func wayOf(alert cluster.Alert) string {
	switch {
	case alert.Program != "":
		return alert.Program
	case alert.URL != "":
		return alert.URL
	}
	return "a secret address"
}

// alertTest tells an alert that it is tried, once, from the node that tells it.
func (s *server) alertTest(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.AlertTest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("test alert %.64q", asked.Name)
	root := s.daemon.replica.Root()
	alert, declared := root.Document.Alerts[asked.Name]
	if !declared {
		return refuse(http.StatusNotFound, "unknown_alert", "there is no alert %q in the cluster document.%s", asked.Name,
			nearest.Hint(asked.Name, sortedNames(root.Document.Alerts)))
	}
	teller := alertTeller(root, alert, s.daemon.role.Load().leader)
	if teller != s.daemon.name && who.kind != pki.KindNode {
		return s.alertTestAt(w, r, root, teller, api.AlertTest{Name: asked.Name, By: who.Name})
	}
	by := who.Name
	if who.kind == pki.KindNode && asked.By != "" {
		by = asked.By
	}
	began := time.Now()
	problem := s.daemon.tell(r.Context(), alert, alerts.Test(root.Cluster, alert.Name, s.daemon.name, by, began))
	if problem != nil {
		return refuse(http.StatusBadGateway, "alert_failed", "alert %s does not work from %s: %v", alert.Name,
			s.daemon.name, problem)
	}
	writeJSON(w, http.StatusOK, api.AlertTested{Name: alert.Name, Teller: s.daemon.name, Took: time.Since(began)})
	return nil
}

// alertTestAt passes a test on to the node that tells the alert.
func (s *server) alertTestAt(w http.ResponseWriter, r *http.Request, root *cluster.State, teller string,
	asked api.AlertTest) error {
	n, known := root.Nodes.Get(teller)
	if !known {
		return refuse(http.StatusServiceUnavailable, "no_leader", "nobody tells alert %s now: no leader is known to %s",
			asked.Name, s.daemon.name)
	}
	var tested api.AlertTested
	err := s.daemon.ask(r.Context(), teller, n.Address, http.MethodPost, api.PathAlerts, asked, &tested)
	var theirs api.Failure
	if err != nil && !errors.As(err, &theirs) {
		return refuse(http.StatusBadGateway, "unreachable", "%s, which tells alert %s, could not be asked: %v", teller,
			asked.Name, err)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, tested)
	return nil
}
