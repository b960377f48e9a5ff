package mail

import (
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/agents"
)

func TestTheNewestOfEachServiceWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		m.Put(agents.Observation{UUID: "first"})
		synctest.Wait() // The pump holds this one out already.
		for _, condition := range []agents.Condition{agents.Running, agents.Unknown, agents.Absent} {
			m.Put(agents.Observation{UUID: "a", Condition: condition})
			m.Put(agents.Observation{UUID: "b", Condition: condition})
		}
		var got []agents.Observation
		for range 3 {
			got = append(got, <-m.Out())
		}
		synctest.Wait()
		select {
		case extra := <-m.Out():
			t.Fatalf("one too many: %+v", extra)
		default:
		}
		if got[1].UUID != "a" || got[1].Condition != agents.Absent || got[2].UUID != "b" ||
			got[2].Condition != agents.Absent {
			t.Fatalf("%+v", got)
		}
		m.Close()
		if _, open := <-m.Out(); open {
			t.Fatal("not closed")
		}
	})
}
