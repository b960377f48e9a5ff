package stage

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

// World is a set of machines that can each run one clusterd, and whose power can be cut.
type World interface {
	// Nodes are the names of the machines, node1 first.
	Nodes() []string
	// Label is put before each headline; it says so when nothing here is real.
	Label() string
	// Prompt is what stands before a command that is typed on a node.
	Prompt(node string) string
	// Command prepares a command on a node, with the tools of the build in its search path.
	Command(ctx context.Context, node string, argv ...string) *exec.Cmd
	// WriteFile writes a file into the node's configuration folder (0600) and returns its path as
	// the node sees it.
	WriteFile(node, name, text string) (string, error)
	// NodeSettings is the text of the node's own settings file.
	NodeSettings(node string) string
	// StartDaemon starts clusterd as the node's service manager would: again when it fails, again
	// at each boot.
	StartDaemon(ctx context.Context, node string) error
	// StopDaemon ends it until StartDaemon, and Wipe empties its data folder.
	StopDaemon(ctx context.Context, node string) error
	Wipe(node string) error
	// Socket is the path, for this process, of the daemon's socket.
	Socket(node string) string
	// Log is the path of the daemon's log.
	Log(node string) string
	// Device is the fence device that switches the node's power.
	Device(node string) Device
	// CutPower takes the node's power away at one instant and tells nobody. Boot gives it back.
	CutPower(node string) error
	Boot(ctx context.Context, node string) error
	Powered(node string) bool
	// Guests are the names of the guests that the node's hypervisor has, running or not.
	Guests(ctx context.Context, node string) ([]string, error)
	// Watch looks at a guest from outside, all the time.
	Watch(guest lab.Guest) (Watch, error)
	// CheckSingleWriter asks the witness whether a guest ever ran twice; Record is what the witness
	// wrote down.
	CheckSingleWriter(guest lab.Guest) error
	Record(guest lab.Guest) ([]string, error)
	// Close ends everything and removes it.
	Close() error
}

// Device is how one node's power is switched.
type Device struct {
	Address, Username, Password, Cipher string
}

// Watch is a look at one guest from outside the cluster.
type Watch interface {
	// Reset forgets what was seen.
	Reset()
	// Seen is what was seen since the last Reset.
	Seen() Seen
	// Stop ends the watch.
	Stop()
}

// Seen is what a watch saw of a guest.
type Seen struct {
	// Answers reports whether it was seen at all.
	Answers bool
	// Nonce names the newest run of the guest, Runs how many different ones were seen.
	Nonce string
	Runs  int
	// Tick is the guest's own counter; TickWentBack counts answers that contradict an earlier one.
	Tick         uint64
	TickWentBack uint64
	// Silence is the longest time without an answer, the one going on included.
	Silence time.Duration
	// SilentFor is how long it has been silent now.
	SilentFor time.Duration
	// RunSince is when the newest run was first seen.
	RunSince time.Time
}

// Result is what a command said and how it ended.
type Result struct {
	Output string
	Code   int
	Took   time.Duration
}

// OK reports whether the command ended with exit code 0.
func (r Result) OK() bool { return r.Code == 0 }

// Run runs a command on a node. An exit code is no error.
func Run(ctx context.Context, w World, node string, argv ...string) (Result, error) {
	began := time.Now()
	output, err := w.Command(ctx, node, argv...).CombinedOutput()
	result := Result{Output: string(output), Took: time.Since(began)}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		result.Code, err = exit.ExitCode(), nil
	}
	if err != nil {
		return result, fmt.Errorf("run %s on %s: %w: %s", argv[0], node, errors.Join(err, ctx.Err()), tail(result.Output, 5))
	}
	return result, nil
}

// must is Run for commands that have to succeed.
func must(ctx context.Context, w World, node string, argv ...string) (string, error) {
	result, err := Run(ctx, w, node, argv...)
	if err == nil && !result.OK() {
		err = fmt.Errorf("%s on %s ended with exit code %d: %s", strings.Join(argv, " "), node, result.Code,
			strings.TrimSpace(result.Output))
	}
	return result.Output, err
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
