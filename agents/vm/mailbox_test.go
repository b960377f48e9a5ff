package vm

import (
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/agents"
)

func TestTheNewestOfEachVMWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox()
		m.put(agents.Observation{UUID: "first"})
		synctest.Wait() // The pump holds this one out already.
		for _, condition := range []agents.Condition{agents.Running, agents.Unknown, agents.Absent} {
			m.put(agents.Observation{UUID: "a", Condition: condition})
			m.put(agents.Observation{UUID: "b", Condition: condition})
		}
		var got []agents.Observation
		for range 3 {
			got = append(got, <-m.out)
		}
		synctest.Wait()
		select {
		case extra := <-m.out:
			t.Fatalf("one too many: %+v", extra)
		default:
		}
		if got[1].UUID != "a" || got[1].Condition != agents.Absent || got[2].UUID != "b" || got[2].Condition != agents.Absent {
			t.Fatalf("%+v", got)
		}
		m.close()
		if _, open := <-m.out; open {
			t.Fatal("not closed")
		}
	})
}
