package pair

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/cluster"
	clustermind "github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

// seenFile lies in the run folder, which a boot empties: when this node was last in quorum, by the
// host's uptime.
const seenFile = "quorum-seen"

// same compares warrants as they lie on disk: one that was read has no empty maps
// where the State may have some.
func same(a, b cluster.Warrant) bool {
	one, failed := json.Marshal(a)
	other, failedToo := json.Marshal(b)
	return failed == nil && failedToo == nil && bytes.Equal(one, other)
}

// up is how long this host has been up. All time counts, also that in which
// it was suspended: the turns of the two-node rule must not shift.
func (s *Pair) up() time.Duration {
	if s.Uptime != nil {
		return s.Uptime()
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		s.Fatal("this host does not tell how long it has been up: " + err.Error())
		return 0
	}
	return time.Duration(now.Nano())
}

func (s *Pair) seenPath() string { return filepath.Join(s.RunDir, seenFile) }

// keepSeenQuorum is not synced: it has to outlive the daemon, not the boot.
func (s *Pair) keepSeenQuorum(at time.Duration) error {
	path := s.seenPath()
	if err := os.WriteFile(path+".new", []byte(s.Boot+" "+strconv.FormatInt(int64(at), 10)), 0o600); err != nil {
		return fmt.Errorf("keep when this node was last in quorum: %w", err)
	}
	return os.Rename(path+".new", path)
}

// lastSeenQuorum is what an earlier start of the daemon kept on this boot.
func (s *Pair) lastSeenQuorum() (time.Duration, bool) {
	text, err := os.ReadFile(s.seenPath())
	if err != nil {
		return 0, false
	}
	boot, number, _ := strings.Cut(string(text), " ")
	at, err := strconv.ParseInt(number, 10, 64)
	return time.Duration(at), err == nil && boot == s.Boot
}

func (s *Pair) aloneStanding(root *cluster.State) cluster.Standing {
	at := cluster.Standing{Self: s.Node, Boot: s.Boot, Incarnation: s.Incarnation()}
	voters := 0
	for _, m := range s.Log.Members() {
		if m.Voter && root.Nodes.Has(m.ID) {
			voters++
		}
	}
	at.BothVote = voters == 2
	for node, beat := range s.Heard() {
		if node != s.Node {
			at.PeerApplied = max(at.PeerApplied, beat.Applied)
		}
	}
	return at
}

// TakeLogOver carries out, before the log is opened, that a start of the daemon before this one had
// decided to go on alone.
func (s *Pair) TakeLogOver() error {
	folder := s.Folder
	parting, err := membership.ReadOptional[cluster.Parting](folder, membership.PartingFile)
	if err != nil || parting == nil {
		return err
	}
	if parting.Result == nil {
		return nil // Run goes on with it, or gives it up
	}
	position, err := quorum.Inspect(s.Folder.LogDir())
	if err != nil {
		return fmt.Errorf("look into the log before going on alone: %w", err)
	}
	alone := len(position.Members) == 1 && position.Members[0].ID == s.Node
	recovery, err := membership.ReadOptional[membership.Recovery](folder, membership.RecoveryFile)
	switch {
	case err != nil:
		return err
	case alone && recovery != nil:
		return nil // only the log has to learn of it
	case alone, parting.Warrant.Boot != s.Boot:
		// It was done, or it was not and this host has booted since: then it waits.
		return folder.Remove(membership.PartingFile)
	case position.LastIndex != parting.Through:
		s.Logger.Warn("this node does not go on alone: its log went on after it was decided", "decided at", parting.Through,
			"now at", position.LastIndex)
		return folder.Remove(membership.PartingFile)
	}
	if err := folder.Write(membership.RecoveryFile, membership.Recovery{Dead: []string{parting.Warrant.Peer.Node},
		Generation: parting.Warrant.Generation + 1, Parting: parting}); err != nil {
		return err
	}
	return quorum.Recover(s.Folder.LogDir(), quorum.Member{ID: s.Node, Address: s.Address}, nil)
}

// Watch keeps the stopwatch on the other of two nodes where the rule finds
// it.
func (s *Pair) Watch(mind *clustermind.Node, root *cluster.State) {
	if root.Nodes.Len() != 2 {
		s.contact.Store(nil)
		return
	}
	for _, name := range root.Nodes.Keys() {
		if name != s.Node {
			contact := mind.Contact(name)
			s.contact.Store(&contact)
		}
	}
}
