package simulated

import (
	"time"

	"github.com/clusterd/clusterd/agents"
)

// Changes delivers observations as they happen.
func (a *Agent) Changes() <-chan agents.Observation { return a.changes }

// watch compares the node's VMs with what was delivered last. An observation
// that cannot be delivered now is compared again at the next look, so the
// newest one wins and nothing piles up.
func (a *Agent) watch() {
	defer a.done.Done()
	defer close(a.changes)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	told := map[string]agents.Observation{}
	for {
		a.tell(told)
		select {
		case <-a.quit:
			return
		case <-ticker.C:
		}
	}
}

func (a *Agent) tell(told map[string]agents.Observation) {
	now := map[string]agents.Observation{}
	err := a.here(func(time.Time) error {
		list, err := a.world.listLocked(a.options.Node)
		for _, vm := range list {
			now[vm.UUID] = observe(vm)
		}
		return err
	})
	for uuid, before := range told {
		if _, there := now[uuid]; there {
			continue
		}
		if err != nil {
			now[uuid] = agents.Observation{Service: before.Service, UUID: uuid, Title: before.Title, Condition: agents.Unknown,
				Reason: err.Error()}
			continue
		}
		now[uuid] = agents.Observation{Service: before.Service, UUID: uuid, Title: before.Title, Condition: agents.Absent,
			Explained: before.Condition == agents.ShuttingDown, Evidence: "simulated"}
	}
	for uuid, seen := range now {
		before, known := told[uuid]
		if known && before.Condition == seen.Condition && before.Reason == seen.Reason {
			continue
		}
		select {
		case a.changes <- seen:
			told[uuid] = seen
		default:
		}
	}
}
