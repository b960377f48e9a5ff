package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// convalescing is a service whose part that is down is being started, as the request asks.
func convalescing(t *testing.T) *clustertest.Book {
	b := clustertest.NewBook(t, 3, "service:shop")
	b.Running("service:shop", "node1")
	b.Must(cluster.Observed{Service: "service:shop", Node: "node1", Incarnation: b.Node("node1").Incarnation,
		AsOf: b.S.Index, Observation: resources.Observation{Service: "service:shop", Condition: resources.Running,
			Reason: "script:report: gone", Partial: true}})
	b.Must(cluster.Ask{Request: "heal", Op: cluster.OpConvalesce, Service: "service:shop"})
	b.Must(cluster.Begin{Service: "service:shop", Intent: cluster.IntentConvalesce, Node: "node1"})
	return b
}

func whole() resources.Result { return resources.Result{OK: true, Source: resources.Running} }

func TestConvalescingIsASuccessOnceAllPartsRun(t *testing.T) {
	b := convalescing(t)
	b.Must(b.Done("service:shop", "node1", whole()))
	b.Answer("heal", cluster.CodeSuccess)
}

// Its node may have been called deaf meanwhile: what it told stands in the State, and whether that
// is still so is not known, as with every other request.
func TestConvalescingOnANodeThatIsOutOfTouchIsNoSuccess(t *testing.T) {
	b := convalescing(t)
	b.Must(cluster.Contact{Node: "node1", Incarnation: b.Node("node1").Incarnation, State: cluster.NodeDeaf,
		Why: message.Words("takes no entry")})
	b.Must(b.Done("service:shop", "node1", whole()))
	b.Answer("heal", cluster.CodeTemporary)
	b.Is("service:shop", resources.Started, "node1", "node1")
}

// The end of one request's act is no answer to another that came since.
func TestTheEndOfConvalescingAnswersNoOtherRequest(t *testing.T) {
	b := convalescing(t)
	b.Must(cluster.Ask{Request: "stop", Op: cluster.OpDisable, Service: "service:shop"})
	b.Must(b.Done("service:shop", "node1", whole()))
	if r, _ := b.S.Requests.Get("stop"); r.Done {
		t.Errorf("the request to disable it is answered with %d %q", r.Code, r.Why)
	}
}
