package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// scraped is what one scrape tells, by name of the metric and its labels: node_online{node3}.
type scraped map[string]float64

func scrape(t *testing.T, collectors ...prometheus.Collector) (scraped, []*dto.MetricFamily) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	found, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := scraped{}
	for _, family := range found {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, label := range m.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			name := strings.TrimPrefix(family.GetName(), "clusterd_")
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				values[name+" count"] = float64(m.GetHistogram().GetSampleCount())
				values[name+" sum"] = m.GetHistogram().GetSampleSum()
			default:
				values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return values, found
}

// busy is a cluster of three nodes and so many services, of which most run.
func busy(t testing.TB, number int) Facts {
	t.Helper()
	book := clustertest.NewBook(t, 3)
	for i := range number {
		s := cluster.Service{Spec: resources.Spec{Name: fmt.Sprintf("vm:%04d", i)}, State: resources.Started,
			Owner: fmt.Sprintf("node%d", i%3+1)}
		if i%5 == 0 {
			s.State, s.Owner = resources.Failed, ""
		}
		book.S.Services.Set(s.Spec.Name, s)
	}
	return factsOf(book)
}

func factsOf(book *clustertest.Book) Facts {
	now := book.At.Add(time.Minute)
	return Facts{Now: now, Root: book.S, Current: true, Cluster: "demo", Node: "node1", Version: "1.2", Leader: "node1",
		Leading: true, Term: 3, Applied: book.S.Index, Last: book.S.Index + 2, Writable: true,
		Heard: map[string]time.Time{"node2": now.Add(-300 * time.Millisecond), "node3": now.Add(time.Hour)},
		Asked: map[string]Asked{"bmc-node2": {At: now.Add(-20 * time.Second)}, "bmc-node3": {At: now, Faulty: true}}}
}

func reading(f Facts) *collector {
	return &collector{ask: func(context.Context) Facts { return f }}
}

func TestTheValuesAreThoseOfTheState(t *testing.T) {
	f := busy(t, 10)
	got, _ := scrape(t, reading(f))
	for name, want := range (scraped{
		"build_info{demo,node1,1.2}": 1, "has_quorum": 1, "state_current": 1, "leading": 1, "log_term": 3,
		"log_last_index": float64(f.Last), "services{started}": 8, "services{failed}": 2, "services{stopped}": 0,
		"service_failed{vm:0000}": 1, "service_failed{vm:0005}": 1, "node_services{node2}": 3, "nodes{online}": 3,
		"nodes{lost}": 0, "node_online{node2}": 1, "node_protected{node2}": 0, "services_unprotected": 8,
		"node_last_heard_seconds{node2}": .3, "node_last_heard_seconds{node3}": 0,
		"fence_device_answer_age_seconds{bmc-node2}": 20, "fence_device_faulty{bmc-node2}": 0,
		"fence_device_faulty{bmc-node3}": 1, "document_version": float64(f.Root.Config.Version),
	}) {
		if value, told := got[name]; !told || value != want {
			t.Errorf("%s is %v (told: %v), want %v", name, value, told, want)
		}
	}
}

// TestWhatIsNotKnownIsLeftOut: a monitoring system that saw zeros would believe that nothing
// failed.
func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	for name, cut := range map[string]func(*Facts){
		"no leader": func(f *Facts) { f.Leader, f.Leading, f.Current = "", false, false },
		"lagging":   func(f *Facts) { f.Leader, f.Leading, f.Current = "node2", false, false },
		"a leader that was forgotten": func(f *Facts) {
			f.Leader, f.Leading = "", false // Current is a moment older
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := busy(t, 10)
			f.Notes = []cluster.Note{{Subject: "vm:0000", Why: message.LeaderUnasked.With()}}
			whole, _ := scrape(t, reading(f))
			cut(&f)
			got, found := scrape(t, reading(f))
			if got["state_current"] != 0 || got["leading"] != 0 || got["has_quorum"] != truth(f.Leader != "") {
				t.Errorf("it does not say so: %v", got)
			}
			there := map[string]bool{}
			for _, family := range found {
				there[family.GetName()] = true
			}
			for _, family := range families {
				if !counted[family] && there[family.name] != (family.when == always) {
					t.Errorf("%s is there: %v, and should be: %s", family.name, there[family.name], family.when)
				}
			}
			if len(whole) <= len(got)+20 || whole["notes{leader-unasked}"] != 1 {
				t.Errorf("with a quorum it tells no more: %v", whole)
			}
		})
	}
}

// TestWhoIsAwayOnPurposeIsNotMissed: maintenance wakes nobody, a loss does.
func TestWhoIsAwayOnPurposeIsNotMissed(t *testing.T) {
	f := busy(t, 1)
	for name, change := range map[string]func(*cluster.Member){
		"node1": func(n *cluster.Member) { n.State = cluster.NodeLost },
		"node2": func(n *cluster.Member) {
			n.State, n.Order = cluster.NodeFenced, &cluster.Order{Kind: cluster.OrderMaintenance}
		},
		"node3": func(n *cluster.Member) { n.State = cluster.NodeLeft },
	} {
		n, _ := f.Root.Nodes.Get(name)
		change(&n)
		f.Root.Nodes.Set(name, n)
	}
	got, _ := scrape(t, reading(f))
	lost, told := got["node_online{node1}"]
	_, maintained := got["node_online{node2}"]
	_, left := got["node_online{node3}"]
	if !told || lost != 0 || maintained || left || got["node_orders{maintenance}"] != 1 || got["nodes{left}"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestTheNumberOfSeriesIsBounded: nothing is told of each service but of a few that failed.
func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	few, _ := scrape(t, reading(busy(t, 500)), newTally())
	f := busy(t, 2000)
	for i := range 3000 {
		f.Notes = append(f.Notes, cluster.Note{Why: message.NodeInState.With(fmt.Sprint("node", i), "lost")})
	}
	for _, code := range message.Codes() {
		f.Notes = append(f.Notes, cluster.Note{Why: code.With(make([]any, len(code.Args()))...)})
	}
	many, _ := scrape(t, reading(f), newTally())
	codes, rest := 0, 0.
	for name, value := range many {
		if strings.HasPrefix(name, "notes{") {
			codes++
			rest += value
		}
	}
	if codes != mostCodes+1 || rest != float64(len(f.Notes)) {
		t.Errorf("%d series tell of %v notes, want %d and %d", codes, rest, mostCodes+1, len(f.Notes))
	}
	if len(many)-codes != len(few) || len(many) > 350 {
		t.Errorf("%d series for 500 services, %d for 2000", len(few), len(many)-codes)
	}
}

func TestTheNamesFollowTheCustoms(t *testing.T) {
	f := busy(t, 40)
	f.Notes = []cluster.Note{{Why: message.LeaderUnasked.With()}}
	f.Root.Alerts.Set("mail", cluster.Cursor{Sent: 3, Problem: "refused"})
	tally := newTally()
	tally.Proposed(time.Millisecond, nil)
	tally.took(failoverPhase, time.Second, "start")
	_, found := scrape(t, reading(f), tally)
	problems, err := promlint.NewWithMetricFamilies(found).Lint()
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if err != nil || len(found) != len(families) {
		t.Errorf("%d of %d metrics were looked at: %v", len(found), len(families), err)
	}
}

func TestAScrapeIsAnsweredAsText(t *testing.T) {
	asked := 0
	m := New(func(context.Context) Facts {
		asked++
		return busy(t, 3)
	})
	answer := httptest.NewRecorder()
	m.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, Path, nil))
	for _, want := range []string{"# TYPE clusterd_services gauge", "clusterd_has_quorum 1\n", "go_goroutines ",
		"process_resident_memory_bytes ", "clusterd_migrations_total{result=\"undone\"} 0\n"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("the answer does not have %q", want)
		}
	}
	if answer.Code != http.StatusOK || asked != 1 {
		t.Errorf("status %d, the daemon was asked %d times", answer.Code, asked)
	}
}

// BenchmarkScrape is what an answer costs with 2,000 services.
func BenchmarkScrape(b *testing.B) {
	f := busy(b, 2000)
	m := New(func(context.Context) Facts { return f })
	bytes := 0
	for b.Loop() {
		answer := httptest.NewRecorder()
		m.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, Path, nil))
		bytes = answer.Body.Len()
	}
	b.ReportMetric(float64(bytes), "bytes")
}

// BenchmarkTally is what an entry costs that tells nothing new, in a timeline that is full.
func BenchmarkTally(b *testing.B) {
	f := busy(b, 10)
	for i := range cluster.MaxEvents {
		f.Root.Timeline = append(f.Root.Timeline, cluster.Event{Index: uint64(i + 1), Subject: "vm:0001"})
	}
	tally := newTally()
	for b.Loop() {
		tally.look(f.Root, 1)
	}
}
