package quorum

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/raft"
)

// Held says which log a node holds and how far it goes.
type Held struct {
	// Life names the log since it began; a folder that was emptied holds none, and begins another one.
	Life string `json:"life,omitempty"`
	// Term is the newest that the node has seen. LastTerm and LastIndex are those of its last entry.
	Term      uint64 `json:"term,omitempty"`
	LastTerm  uint64 `json:"lastTerm,omitempty"`
	LastIndex uint64 `json:"lastIndex,omitempty"`
}

// Memory is what nodes remember of each other's logs. A voter whose log was lost or cut forgets
// what it acknowledged, and
// its majority with it; so whoever remembers more counts nothing that it says. Its methods are
// called from any goroutine.
type Memory interface {
	// Known are the logs of all nodes as this one remembers them, by ID.
	Known() map[string]Held
	// Counts returns an error if a node's votes and acknowledgements must not be counted. It may ask
	// for the entries that this node's log holds behind an index (Log.Behind): what was applied may be
	// old where nobody leads.
	Counts(id string, held Held, behind func(index uint64) iter.Seq2[Entry, error]) error
	// Hears returns an error if what a node asks for must not be answered.
	Hears(id string, held Held) error
	// Remembered is called with what another node remembers of this one.
	Remembered(by string, known Held)
}

// lifeFile lies in the log's own folder, so that it goes where the log goes.
const lifeFile = "life"

// NewLife draws the name of a log that begins. It fits into a heartbeat.
func NewLife() string {
	var number [8]byte
	rand.Read(number[:]) // It never fails: crypto/rand ends the process instead.
	number[0] |= 0x80    // none is zero, which stands for no log
	return fmt.Sprintf("%x", number)
}

// life is the log's name as a heartbeat carries it, and lifeOf reads it.
func (held Held) life() uint64 {
	number, err := strconv.ParseUint(held.Life, 16, 64)
	if err != nil {
		return 0 // a log that is kept nowhere has no name
	}
	return number
}

func lifeOf(number uint64) string {
	if number == 0 {
		return ""
	}
	return strconv.FormatUint(number, 16)
}

// BeginLife names the log in a folder that holds none yet.
func BeginLife(dataDir, life string) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dataDir, lifeFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(life + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	folder, err := os.Open(dataDir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// InspectHeld tells what the folder of a node holds whose daemon is stopped. It is empty for a
// folder without a log.
func InspectHeld(dataDir string) (Held, error) {
	life, err := os.ReadFile(filepath.Join(dataDir, lifeFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	held := Held{Life: strings.TrimSpace(string(life))}
	if err != nil {
		return held, err
	}
	if _, err := os.Stat(filepath.Join(dataDir, "log")); errors.Is(err, fs.ErrNotExist) {
		return Held{}, nil // without entries it is no log, whatever its name
	}
	offline, err := openOffline(dataDir)
	if err != nil {
		return held, err
	}
	defer offline.closeLog()
	return offline.held(held.Life)
}

// held reads how far the log goes.
func (s *stores) held(life string) (Held, error) {
	held := Held{Life: life}
	if term, err := s.stable.GetUint64(keyCurrentTerm); err == nil { // an empty store answers with an error
		held.Term = term
	}
	term, covered, err := s.covered()
	if err != nil {
		return held, err
	}
	held.LastTerm, held.LastIndex = term, covered
	first, errFirst := s.log.FirstIndex()
	last, err := s.log.LastIndex()
	if err = errors.Join(errFirst, err); err != nil || last <= covered {
		return held, err
	}
	if first > covered+1 {
		return held, nil // what the log begins with cannot be reached: it ends where the snapshot does
	}
	var entry raft.Log
	if err := s.log.GetLog(last, &entry); err != nil {
		return held, fmt.Errorf("read entry %d: %w", last, err)
	}
	held.LastTerm, held.LastIndex = entry.Term, entry.Index
	return held, nil
}

// covered is the end of the newest snapshot that is whole, which the library begins with too; 0
// without one. What the disk does not give away now is neither whole nor broken: that is an error,
// and may be over at the next start.
func (s *stores) covered() (term, index uint64, err error) {
	snapshots, err := s.snapshots.List() // newest first, without those whose description is not read
	if err != nil {
		return 0, 0, fmt.Errorf("list the snapshots: %w", err)
	}
	if err := s.readDescriptions(); err != nil {
		return 0, 0, err
	}
	for _, snapshot := range snapshots {
		_, content, err := s.snapshots.Open(snapshot.ID)
		switch {
		case err == nil:
			return snapshot.Term, snapshot.Index, content.Close()
		case withheld(err):
			return 0, 0, fmt.Errorf("read snapshot %s: %w", snapshot.ID, err)
		}
	}
	return 0, 0, nil
}

// readDescriptions tries the descriptions of snapshots that lie in files, which the library passes
// over in silence where it cannot.
func (s *stores) readDescriptions() error {
	if s.dir == "" {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(s.dir, "snapshots", "*", "meta.json"))
	for _, name := range found {
		if _, failed := os.ReadFile(name); withheld(failed) {
			err = errors.Join(err, fmt.Errorf("read a snapshot: %w", failed))
		}
	}
	return err
}

// withheld reports whether something was not read because the system did not give it away, and not
// because it is gone or broken.
func withheld(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && number != syscall.ENOENT
}

// behind are the Machine's entries that the log holds behind an index, up to its end as it is when
// the walk begins.
func (s *stores) behind(index uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		last, err := s.log.LastIndex()
		for next := index + 1; err == nil && next <= last; next++ {
			var entry raft.Log
			err = s.log.GetLog(next, &entry)
			if err == nil && entry.Type == raft.LogCommand && !yield(entryOf(&entry), nil) {
				return
			}
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("read the log behind entry %d: %w", index, err))
		}
	}
}

// Behind are the entries that this node's log holds behind an index, committed or not. They are
// read only when they are walked, and an error is the last of them.
func (l *Log) Behind(index uint64) iter.Seq2[Entry, error] { return l.stores.behind(index) }

// holding follows how far this node's log goes while it is open.
type holding struct {
	mark    func(Held) error
	applied func() uint64
	cut     func(why string)

	mu   sync.Mutex
	held Held
}

// Held tells how far this node's log goes.
func (l *Log) Held() Held { return l.holding.now() }

func (h *holding) now() Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// before is called before entries are written. Entries below what this node has applied mean that a
// leader cuts what was
// committed; nothing of that is taken.
func (h *holding) before(entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	if applied := h.applied(); entries[0].Index <= applied {
		why := fmt.Sprintf("its log was cut behind entry %d by a leader that does not hold what this node has "+
			"applied, up to entry %d", entries[0].Index-1, applied)
		h.cut(why)
		return errors.New(why)
	}
	return nil
}

func (held Held) through(index, term uint64) Held {
	held.LastIndex, held.LastTerm, held.Term = index, term, max(held.Term, term)
	return held
}

// reached is called when the log goes so far.
func (h *holding) reached(index, term uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = h.held.through(index, term)
}

// restored is called when a snapshot takes the State's place: at the start the log goes further
// than that.
func (h *holding) restored(index, term uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if term > h.held.LastTerm || (term == h.held.LastTerm && index > h.held.LastIndex) {
		h.held = h.held.through(index, term)
	}
}

// newTerm is called when a term is written down, before anything is done in it: a vote is given
// once in each, also by a node
// that loses its log in between. The first term of a log comes before its first entry, so that a
// folder that is emptied at any
// time is found out.
func (h *holding) newTerm(term uint64) error {
	next := h.now()
	next.Term = max(next.Term, term)
	if h.mark != nil {
		if err := h.mark(next); err != nil {
			return fmt.Errorf("mark that term %d began: %w", term, err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held.Term = max(h.held.Term, term)
	return nil
}
