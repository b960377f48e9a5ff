package vm

import (
	"testing"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

func seen(condition agents.Condition, reason string) agents.Observation {
	return agents.Observation{Condition: condition, Reason: reason}
}

func TestDecide(t *testing.T) {
	running, absent, unknown := seen(agents.Running, ""), seen(agents.Absent, ""), seen(agents.Unknown, "")
	leaving, incoming := seen(agents.Running, reasonMigratingOut), seen(agents.Incoming, "migration")
	arrived, remnant := seen(agents.Paused, "user"), seen(agents.Paused, "migration")
	broken := seen(agents.Paused, "ioerror")
	fetching, part := seen(agents.Split, resources.PostCopyGoing), seen(agents.Split, "post-copy failed")
	for _, c := range []struct {
		story          string
		source, target agents.Observation
		want           step
	}{
		{"it is copied after the guest", fetching, fetching, stepWait},
		{"that was interrupted", part, part, stepCopyOn},
		{"only the source has seen it", part, fetching, stepWait},
		{"only the target has seen it", fetching, part, stepWait},
		{"the target has all of it", part, running, stepDestroySource},
		{"the target of a post-copy is gone", part, absent, stepNone},
		{"the source of a post-copy is gone", absent, part, stepWait},
		{"the target of a post-copy cannot be asked", part, unknown, stepNone},
		{"the guest stands still at the target of a post-copy", part, broken, stepCopyOn},
		{"somebody let the source go on", running, part, stepPauseTarget},
		{"it ended well", absent, running, stepNone},
		{"the guest waits for us", absent, arrived, stepResumeTarget},
		{"libvirt is not done at the target", absent, incoming, stepWait},
		{"the guest is lost", absent, absent, stepNone},
		{"it failed and left nothing", running, absent, stepNone},
		{"it failed and left a copy", running, arrived, stepDestroyTarget},
		{"it failed and libvirt cleans up", running, incoming, stepWait},
		{"it is still under way", leaving, incoming, stepWait},
		{"it is still under way, the target is whole", leaving, arrived, stepWait},
		{"two run", running, running, stepPauseTarget},
		{"the source is a remnant", remnant, running, stepDestroySource},
		{"both are whole", remnant, arrived, stepDestroyTarget},
		{"only the source's remnant is left", remnant, absent, stepResumeSource},
		{"the source waits for libvirt", remnant, incoming, stepWait},
		{"the source's disk failed", broken, absent, stepNone},
		{"the source's disk failed, a copy is there", broken, arrived, stepNone},
		{"the target's disk failed", absent, broken, stepNone},
		{"the target does not answer", running, unknown, stepNone},
		{"the target does not answer and the source is gone", absent, unknown, stepNone},
		{"the source does not answer", unknown, arrived, stepNone},
		{"nobody answers", unknown, unknown, stepNone},
	} {
		if got := decide(c.source, c.target); got != c.want {
			t.Errorf("%s: step %d, not %d", c.story, got, c.want)
		}
	}
}

// No pair of conditions may lead to a step that could leave two running or
// none: a guest is destroyed only paused and beside a known other end.
func TestDecideNeverDestroysWhatRunsOrWhatIsTheLast(t *testing.T) {
	conditions := []agents.Condition{agents.Absent, agents.Running, agents.Paused, agents.Incoming, agents.ShuttingDown,
		agents.Crashed, agents.Unknown, agents.Split}
	reasons := []string{"", "user", "migration", "ioerror", "resume failed", reasonMigratingOut, "post-copy",
		"post-copy failed"}
	for _, a := range conditions {
		for _, b := range conditions {
			for _, why := range reasons {
				for _, wherefore := range reasons {
					source, target := seen(a, why), seen(b, wherefore)
					switch decide(source, target) {
					case stepDestroyTarget:
						if b != agents.Paused || (a != agents.Running && a != agents.Paused) {
							t.Errorf("destroys the target: %+v %+v", source, target)
						}
					case stepDestroySource:
						if (a != agents.Paused && a != agents.Split) || b != agents.Running {
							t.Errorf("destroys the source: %+v %+v", source, target)
						}
					case stepResumeTarget:
						if a != agents.Absent {
							t.Errorf("resumes the target beside a source that is there: %+v %+v", source, target)
						}
					case stepResumeSource:
						if b != agents.Absent {
							t.Errorf("resumes the source beside a target that is there: %+v %+v", source, target)
						}
					}
				}
			}
		}
	}
}
