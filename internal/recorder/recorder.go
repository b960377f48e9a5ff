package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
)

const (
	// queueLength is how many plans may wait for the disk. Each holds a root of the
	// State, whose records are shared, so that it costs little memory.
	queueLength = 64
	// repeatWindow: the same decision again within it is a repeated proposal of the
	// one before, and would only push older records out.
	repeatWindow = time.Minute
	// complaintPause bounds what a broken disk puts into the journal.
	complaintPause = 10 * time.Minute
)

// Options are what a Recorder stands on.
type Options struct {
	Folder   string
	Clusterd string
	Node     string
	Logger   *slog.Logger
	// Limits of the folder; zero values mean the package's own.
	Limits Limits
}

// Recorder writes the records of one daemon.
type Recorder struct {
	options Options
	queue   chan Record

	dropped  atomic.Uint64
	failed   atomic.Uint64
	repeated atomic.Uint64
	written  atomic.Uint64

	// Of Run alone.
	lastDecision string
	lastAt       time.Time
	complained   time.Time
}

// Counters tell what became of the plans handed over.
type Counters struct {
	Written uint64
	// Dropped waited too long for a slow disk, Failed could not be written,
	// Repeated are the same decision once more.
	Dropped, Failed, Repeated uint64
}

// New makes a Recorder. Nothing is written before Run.
func New(options Options) *Recorder {
	options.Limits = options.Limits.withDefaults()
	return &Recorder{options: options, queue: make(chan Record, queueLength)}
}

// Keep takes a plan in and returns at once: the oldest one that waits is dropped
// when the disk does not keep up. It is for one goroutine at a time.
func (r *Recorder) Keep(planned *mind.Planned, at time.Time) {
	record := Record{Clusterd: r.options.Clusterd, Node: r.options.Node, At: at, Planned: *planned}
	for {
		select {
		case r.queue <- record:
			return
		default:
		}
		select {
		case <-r.queue:
			r.dropped.Add(1)
		default:
		}
	}
}

// Counters may be asked by any goroutine.
func (r *Recorder) Counters() Counters {
	return Counters{Written: r.written.Load(), Dropped: r.dropped.Load(), Failed: r.failed.Load(),
		Repeated: r.repeated.Load()}
}

// Run writes until the context ends, and then what still waits.
func (r *Recorder) Run(ctx context.Context) {
	for {
		select {
		case record := <-r.queue:
			r.take(record)
		case <-ctx.Done():
			for {
				select {
				case record := <-r.queue:
					r.take(record)
				default:
					return
				}
			}
		}
	}
}

func (r *Recorder) take(record Record) {
	decision, err := decisionText(record.Planned.Decision.Commands)
	if err == nil && decision == r.lastDecision && record.At.Sub(r.lastAt).Abs() < repeatWindow {
		r.repeated.Add(1)
		return
	}
	record.Missed = r.dropped.Load() + r.failed.Load()
	if err == nil {
		err = r.write(record)
	}
	if err != nil {
		r.failed.Add(1)
		r.complain(record.At, err)
		return
	}
	r.written.Add(1)
	r.lastDecision, r.lastAt = decision, record.At
}

func (r *Recorder) write(record Record) error {
	packed, err := Encode(record)
	if err != nil {
		return err
	}
	return store(r.options.Folder, r.options.Limits, record, packed)
}

func (r *Recorder) complain(at time.Time, err error) {
	if !r.complained.IsZero() && at.Sub(r.complained).Abs() < complaintPause {
		return
	}
	r.complained = at
	if errors.Is(err, errNoRoom) {
		err = fmt.Errorf("%w; make room in %s", err, r.options.Folder)
	}
	r.options.Logger.Warn("a plan was not recorded; the cluster goes on without", "node", r.options.Node, "error", err)
}

func decisionText(commands []cluster.Command) (string, error) {
	lines, err := commandLines(commands)
	if err != nil {
		return "", err
	}
	acts := make([]string, 0, len(lines))
	for _, l := range lines {
		acts = append(acts, l.act)
	}
	slices.Sort(acts)
	return strings.Join(acts, "\n"), nil
}
