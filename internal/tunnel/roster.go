package tunnel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// ErrNotExpected is wrapped where the log holds no open migration that a stream could belong to.
var ErrNotExpected = errors.New("the log holds no open migration that asks for it")

// Roster is what the daemon tells the forwarder, which has no replicated State: who is who, and
// which migrations to or from this node are open. Without one nobody is let in.
type Roster struct {
	// Nodes are the members' keys by name, Next those that some of them are being given beside,
	// Removed those that are barred for good.
	Nodes   map[string]string    `json:"nodes"`
	Next    map[string]string    `json:"next,omitempty"`
	Removed map[string]time.Time `json:"removed,omitempty"`
	Moves   []Move               `json:"moves,omitempty"`
	// Authorities are the certificates of those that are believed.
	Authorities []string `json:"authorities,omitempty"`
	// Addresses are those at which the members are: who comes from one is kept out by no crowd.
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// Move is an open migration.
type Move struct {
	Act  string `json:"act"`
	From string `json:"from"`
	To   string `json:"to"`
	// Guest is the libvirt UUID of what moves.
	Guest string `json:"guest,omitempty"`
}

// covers reports whether an act is this migration, or a round of settling it: their names go on
// from its own.
func (m Move) covers(act string) bool { return act == m.Act || strings.HasPrefix(act, m.Act+".") }

// isKeyOf reports whether a member is believed by a key.
func (r Roster) isKeyOf(node, key string) bool {
	return key != "" && (r.Nodes[node] == key || r.Next[node] == key)
}

// expects says why a stream of an act is not wanted between two nodes; nil if it is.
func (r Roster) expects(act, from, to string) error {
	for _, move := range r.Moves {
		if move.From == from && move.To == to && move.covers(act) {
			return nil
		}
	}
	return fmt.Errorf("act %s from %s to %s: %w", act, from, to, ErrNotExpected)
}

// WriteRoster replaces the file whole. It holds nothing secret.
func WriteRoster(path string, roster Roster) error {
	text, err := json.Marshal(roster)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the forwarder's roster: %w", err)
	}
	return renameio.WriteFile(path, text, 0o644)
}

// rosterLimit bounds what is read back.
const rosterLimit = 4 << 20

// rosterFile reads the file again when it is another one.
type rosterFile struct {
	path string

	mu     sync.Mutex
	seen   os.FileInfo
	roster Roster
	broken error
}

// read returns the newest roster, and whether it is another one than before.
func (f *rosterFile) read() (roster Roster, changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		changed = f.seen != nil
		f.seen, f.roster = nil, Roster{}
		return Roster{}, changed, fmt.Errorf("the daemon has not told yet who is a member: %w", err)
	}
	same := f.seen != nil && os.SameFile(f.seen, info)
	if same && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return f.roster, false, f.broken
	}
	f.seen, f.roster, f.broken = info, Roster{}, nil
	text, err := readBounded(f.path, info)
	if err == nil {
		err = json.Unmarshal(text, &f.roster)
	}
	if err != nil {
		f.roster, f.broken = Roster{}, fmt.Errorf("read who is a member in %s: %w", f.path, err)
	}
	return f.roster, true, f.broken
}

func readBounded(path string, info os.FileInfo) ([]byte, error) {
	if info.Size() > rosterLimit {
		return nil, fmt.Errorf("it is larger than %d bytes", rosterLimit)
	}
	return os.ReadFile(path)
}
