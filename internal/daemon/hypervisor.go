package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
)

// How often the hypervisor is asked whether it answers, how long it has for that, and how
// often in a row it may fail to.
const (
	hypervisorEvery    = 3 * time.Second
	hypervisorAnswers  = 3 * time.Second
	hypervisorFailures = 2
)

// mostOfAnError bounds what is said of a hypervisor in the log.
const mostOfAnError = 300

// keepAsking asks the hypervisor, and tells the mind of each change.
func (d *Daemon) keepAsking(ctx context.Context) {
	agent, able := d.agent.(agents.Answering)
	if !able {
		return
	}
	failed, known := 0, ""
	for sleep(ctx, hypervisorEvery) {
		asking, cancel := context.WithTimeout(ctx, hypervisorAnswers)
		err := agent.Answers(asking)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if failed++; err == nil {
			failed = 0
		}
		why := known
		switch {
		case err == nil:
			why = ""
		case failed >= hypervisorFailures && known == "":
			why = fmt.Sprintf("%.*s", mostOfAnError, err)
		}
		if why != known {
			known = why
			d.box.add(func(in *cluster.Input) { in.Hypervisor = &why })
		}
	}
}
