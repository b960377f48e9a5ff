package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// The calls that are written down.
const (
	Create  = "create"
	Migrate = "migrate"
	Destroy = "destroy"
)

// maxCalls bounds the journal of one VM; acts on one VM are serial, so
// more than a few open calls mean that libvirtd hangs.
const maxCalls = 16

// Call is one call that was sent and is not known to have ended.
type Call struct {
	Number int    `json:"number"`
	Kind   string `json:"kind"`
	Act    string `json:"act,omitempty"`
	// Server is the libvirtd process that the call was sent to.
	Server Process   `json:"server"`
	At     time.Time `json:"at"`
	// Orphan calls were sent by an earlier daemon, or lost their connection:
	// nobody waits for their answer by then.
	Orphan bool `json:"orphan,omitempty"`
	// quietSince is when libvirtd first answered, after the caller was gone,
	// that it knows no such VM in any form.
	quietSince time.Time
}

// Journal remembers open calls per VM, in memory and in one small file per VM.
type Journal struct {
	dir string

	mu    sync.Mutex
	next  int
	calls map[string][]Call // by UUID
}

// OpenJournal reads what an earlier daemon left; all of it is orphaned.
func OpenJournal(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the journal of hypervisor calls: %w", err)
	}
	j := &Journal{dir: dir, next: 1, calls: map[string][]Call{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.calls"))
	if err != nil {
		return nil, fmt.Errorf("list the journal of hypervisor calls: %w", err)
	}
	sort.Strings(files)
	for _, file := range files {
		if err := j.load(file); err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *Journal) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the journal of hypervisor calls: %w", err)
	}
	var calls []Call
	if err := json.Unmarshal(text, &calls); err != nil {
		return fmt.Errorf("read the journal of hypervisor calls: %s: %w", file, err)
	}
	for i := range calls {
		calls[i].Orphan = true
		calls[i].Number = j.next
		j.next++
	}
	uuid := strings.TrimSuffix(filepath.Base(file), ".calls")
	j.calls[uuid] = calls
	return nil
}

// Begin writes a call down before it is sent. An error means: do not send.
func (j *Journal) Begin(uuid, kind, act string, server Process, now time.Time) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.calls[uuid]) >= maxCalls {
		return 0, fmt.Errorf("%d earlier calls for this VM have not ended", maxCalls)
	}
	number := j.next
	j.next++
	before := j.calls[uuid]
	j.calls[uuid] = append(before[:len(before):len(before)], Call{Number: number, Kind: kind, Act: act, Server: server,
		At: now})
	if err := j.store(uuid); err != nil {
		j.calls[uuid] = before
		return 0, err
	}
	return number, nil
}

// Returned takes a call out: its answer has come.
func (j *Journal) Returned(uuid string, number int) {
	j.change(uuid, func(call *Call) (keep bool) { return call.Number != number })
}

// Lost marks a call whose connection broke before its answer came.
func (j *Journal) Lost(uuid string, number int) {
	j.change(uuid, func(call *Call) bool {
		if call.Number == number {
			call.Orphan = true
		}
		return true
	})
}

// DropDead takes out the calls whose libvirtd is dead: what it had not done by
// then it will not do.
func (j *Journal) DropDead(uuid string, alive func(Process) bool) {
	j.change(uuid, func(call *Call) bool { return alive(call.Server) })
}

// DropCreates takes out create calls once the VM has been seen active: a
// create takes effect at most once.
func (j *Journal) DropCreates(uuid string) {
	j.change(uuid, func(call *Call) bool { return call.Kind != Create || !call.Orphan })
}

// Quiet notes that libvirtd knows no such VM in any form although it has
// meanwhile worked its queue off: the caller asked it something that waits
// behind the orphaned calls. So they have been taken up, and one that left no
// trace in answers settle apart has ended. This is the one step that rests on
// an argument and not on a proof; without it a create that failed while the
// daemon restarted would block its VM until libvirtd restarts.
func (j *Journal) Quiet(uuid string, now time.Time, settle time.Duration) {
	j.change(uuid, func(call *Call) bool {
		if !call.Orphan {
			return true
		}
		if call.quietSince.IsZero() {
			call.quietSince = now
		}
		return now.Sub(call.quietSince) < settle
	})
}

// Seen starts the quiet time of orphans again: the VM was there in some form.
func (j *Journal) Seen(uuid string) {
	j.change(uuid, func(call *Call) bool {
		call.quietSince = time.Time{}
		return true
	})
}

// Open returns the calls that may still take effect.
func (j *Journal) Open(uuid string) []Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Call(nil), j.calls[uuid]...)
}

// VMs returns the UUIDs that have open calls.
func (j *Journal) VMs() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]string, 0, len(j.calls))
	for uuid := range j.calls {
		list = append(list, uuid)
	}
	sort.Strings(list)
	return list
}

func (j *Journal) change(uuid string, keep func(*Call) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.calls[uuid]
	if len(before) == 0 {
		return
	}
	var after []Call
	for _, call := range before {
		if keep(&call) {
			after = append(after, call)
		}
	}
	if len(after) == 0 {
		delete(j.calls, uuid)
	} else {
		j.calls[uuid] = after
	}
	if len(after) != len(before) {
		// A file that could not be rewritten names calls that have ended: the
		// next daemon then waits longer than it must, which is safe.
		_ = j.store(uuid)
	}
}

func (j *Journal) store(uuid string) error {
	file := filepath.Join(j.dir, uuid+".calls")
	calls := j.calls[uuid]
	if len(calls) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write the journal of hypervisor calls: %w", err)
		}
		return nil
	}
	text, err := json.Marshal(calls)
	if err != nil {
		return fmt.Errorf("write the journal of hypervisor calls: %w", err)
	}
	if err := renameio.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("write the journal of hypervisor calls: %w", err)
	}
	return nil
}

// Ended tells that a call has been taken out.
func (j *Journal) Ended(uuid string, number int) bool {
	for _, call := range j.Open(uuid) {
		if call.Number == number {
			return false
		}
	}
	return true
}

// Idle tells that no call of this kind is open.
func (j *Journal) Idle(uuid, kind string) bool {
	for _, call := range j.Open(uuid) {
		if call.Kind == kind {
			return false
		}
	}
	return true
}
