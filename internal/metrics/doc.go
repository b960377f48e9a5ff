// Package metrics tells a monitoring system what this node knows, in the text format of Prometheus.
//
// What can be read off is worked out when somebody asks, from the State and a few facts of the
// daemon; only what happens and leaves no trace behind is counted at the time (Tally). What is no
// longer known is left out: a value that was true before the quorum was lost would be a lie.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// patience bounds how long an answer may wait for this node to be level with its leader, and
// scrapesAtOnce how many are worked out at a time.
const (
	patience      = 250 * time.Millisecond
	scrapesAtOnce = 4
)

// Metrics are those of one node.
type Metrics struct {
	// Tally has what is counted.
	Tally   *Tally
	handler http.Handler
}

// New makes the metrics of a node. ask says what the daemon knows; it is called once for each
// answer, and has to return when its context ends.
func New(ask func(context.Context) Facts) *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{Tally: newTally()}
	registry.MustRegister(&collector{ask: ask}, m.Tally,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce})
	return m
}

// ServeHTTP implements http.Handler: it answers one scrape. Who may ask is for the caller to see.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }
