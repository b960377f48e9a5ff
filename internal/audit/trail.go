package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/clusterd/clusterd/internal/api"
)

// Entry is one line of the trail.
type Entry = api.AuditEntry

const (
	// files is how many are kept, each of largestFile bytes at most.
	files       = 5
	largestFile = 4 << 20
	// waiting bounds how many entries the disk may be behind.
	waiting = 1024
	// longestText bounds each text of an entry.
	longestText = 500
)

// Trail is the trail of one node.
type Trail struct {
	folder string
	node   string
	queue  chan Entry

	mu   sync.Mutex // guards lost and the files
	lost int
	last Entry
}

// Open continues the trail in a folder, or begins one.
func Open(folder, node string) (*Trail, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the audit trail: %w", err)
	}
	t := &Trail{folder: folder, node: node, queue: make(chan Entry, waiting)}
	entries, err := t.read(0, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		t.last = entries[len(entries)-1]
	}
	return t, nil
}

// Note adds an entry. It never blocks: what the disk does not take in time is counted as More of
// the next entry.
func (t *Trail) Note(e Entry) {
	e.Node = t.node
	e.Who, e.From, e.Act, e.Result = brief(e.Who), brief(e.From), brief(e.Act), brief(e.Result)
	select {
	case t.queue <- e:
	default:
		t.mu.Lock()
		t.lost += 1 + e.More
		t.mu.Unlock()
	}
}

func brief(text string) string {
	if len(text) <= longestText {
		return text
	}
	return string([]rune(text[:longestText])) + "..."
}

// Run writes entries down until the context ends, and tells of a disk that does not take them.
func (t *Trail) Run(ctx context.Context, problem func(error)) {
	for {
		select {
		case e := <-t.queue:
			problem(t.write(e))
		case <-ctx.Done():
			for len(t.queue) > 0 {
				problem(t.write(<-t.queue))
			}
			return
		}
	}
}

func (t *Trail) write(e Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.More += t.lost
	e.Seq = t.last.Seq + 1
	e.Sum = sum(t.last.Sum, e)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := t.append(append(line, '\n')); err != nil {
		t.lost++
		return fmt.Errorf("the audit trail cannot be written: %w", err)
	}
	t.last, t.lost = e, 0
	return nil
}

// sum is over everything of the entry but its own sum, and the sum before.
func sum(before string, e Entry) string {
	e.Sum = before
	text, _ := json.Marshal(e) // strings, numbers and a time: it cannot fail
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

func (t *Trail) append(line []byte) error {
	path := t.path(0)
	if info, err := os.Stat(path); err == nil && info.Size()+int64(len(line)) > largestFile {
		for i := files - 1; i > 0; i-- {
			if err := os.Rename(t.path(i-1), t.path(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	return errors.Join(err, file.Close())
}

func (t *Trail) path(age int) string {
	if age == 0 {
		return filepath.Join(t.folder, "trail")
	}
	return filepath.Join(t.folder, fmt.Sprintf("trail.%d", age))
}

// Read returns the entries behind a number, oldest first, at most so many of them, and whether
// there are more.
func (t *Trail) Read(after uint64, most int) (entries []Entry, more bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, err = t.read(after, files)
	if len(entries) > most {
		return entries[:most], true, err
	}
	return entries, false, err
}

// read reads the newest so many files. The caller holds the mutex, or nobody else knows the trail.
func (t *Trail) read(after uint64, count int) ([]Entry, error) {
	var entries []Entry
	for age := count - 1; age >= 0; age-- {
		file, err := os.Open(t.path(age))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit trail: %w", err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			var e Entry
			// A line that was cut by a power loss is passed over; the sums show the gap.
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.Seq > after {
				entries = append(entries, e)
			}
		}
		err = errors.Join(lines.Err(), file.Close())
		if err != nil {
			return nil, fmt.Errorf("read the audit trail: %w", err)
		}
	}
	return entries, nil
}

// Verify says where a trail was changed: the first entry that does not follow from the one before
// it. The first entry's own past is unknown. It returns nil for a trail that is whole.
func Verify(entries []Entry) error {
	for i, e := range entries {
		if i == 0 {
			continue
		}
		before := entries[i-1]
		if e.Seq != before.Seq+1 {
			return fmt.Errorf("entry %d follows entry %d: what was between them is gone", e.Seq, before.Seq)
		}
		if e.Sum != sum(before.Sum, e) {
			return fmt.Errorf("entry %d is not as it was written, or entry %d is not", e.Seq, before.Seq)
		}
	}
	return nil
}
