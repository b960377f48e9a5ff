package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/internal/pki"
)

// alertList tells how each alert fares.
func (s *Server) alertList(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	root, leader := s.daemon.Root(), s.daemon.Leader()
	list := api.Alerts{Alerts: []api.Alert{}}
	for _, name := range sortedNames(root.Document.Alerts) {
		alert := root.Document.Alerts[name]
		cursor, _ := root.Alerts.Get(name)
		list.Alerts = append(list.Alerts, api.Alert{Name: name, Way: wayOf(alert), Teller: alerts.Teller(root, alert, leader),
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
func (s *Server) alertTest(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.AlertTest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("test alert %.64q%s", asked.Name, who.behind(asked.By))
	root := s.daemon.Root()
	alert, declared := root.Document.Alerts[asked.Name]
	if !declared {
		return Refuse(http.StatusNotFound, "unknown_alert", "there is no alert %q in the cluster document.%s", asked.Name,
			nearest.Hint(asked.Name, sortedNames(root.Document.Alerts)))
	}
	teller := alerts.Teller(root, alert, s.daemon.Leader())
	if teller != s.name && who.Kind != pki.KindNode {
		return s.alertTestAt(w, r, root, teller, api.AlertTest{Name: asked.Name, By: who.Name})
	}
	began := time.Now()
	problem := s.daemon.Tell(r.Context(), alert, alerts.Test(root.Cluster, alert.Name, s.name, who.by(asked.By), began))
	if problem != nil {
		return Refuse(http.StatusBadGateway, "alert_failed", "alert %s does not work from %s: %v", alert.Name,
			s.name, problem)
	}
	writeJSON(w, http.StatusOK, api.AlertTested{Name: alert.Name, Teller: s.name, Took: time.Since(began)})
	return nil
}

// alertTestAt passes a test on to the node that tells the alert.
func (s *Server) alertTestAt(w http.ResponseWriter, r *http.Request, root *cluster.State, teller string,
	asked api.AlertTest) error {
	n, known := root.Nodes.Get(teller)
	if !known {
		return Refuse(http.StatusServiceUnavailable, "no_leader", "nobody tells alert %s now: no leader is known to %s",
			asked.Name, s.name)
	}
	var tested api.AlertTested
	err := s.daemon.Ask(r.Context(), teller, n.Address, http.MethodPost, api.PathAlerts, asked, &tested)
	var theirs api.Failure
	if err != nil && !errors.As(err, &theirs) {
		return Refuse(http.StatusBadGateway, "unreachable", "%s, which tells alert %s, could not be asked: %v", teller,
			asked.Name, err)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, tested)
	return nil
}
