package quorum

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
)

// keyCurrentTerm is where hashicorp/raft keeps the term in its stable store.
var keyCurrentTerm = []byte("CurrentTerm")

// LogPosition tells how far a node's log goes. Of two logs, the one with the higher LastTerm,
// and among equals with the higher LastIndex, is the one to go on with: it holds everything that
// was ever acknowledged, if any of them does.
type LogPosition struct {
	LastTerm, LastIndex uint64
	// SnapshotIndex is how much of it lies in the newest snapshot.
	SnapshotIndex uint64
	Members       []Member
}

// Inspect reads the log of a node whose daemon is stopped.
func Inspect(dataDir string) (LogPosition, error) {
	offline, err := openOffline(dataDir)
	if err != nil {
		return LogPosition{}, err
	}
	defer offline.closeLog()
	position, _, err := offline.read()
	return position, err
}

// Recover makes a log usable again whose quorum is lost for good, with self and the survivors as
// its only voters. It is the last resort: entries acknowledged by the lost nodes alone are gone.
//
// The daemon must be stopped. Run it on ONE node, the one whose log goes furthest (see Inspect
// on each). The survivors named need only be started afterwards, with their own logs, which then
// follow this one. The lost nodes must never come back with their old logs: whoever calls this
// raises the cluster's generation, by which they are refused.
//
// Nothing is changed when an error is returned.
func Recover(dataDir string, self Member, survivors []Member) error {
	offline, err := openOffline(dataDir)
	if err != nil {
		return err
	}
	defer offline.closeLog()
	position, term, err := offline.read()
	if err != nil {
		return err
	}
	if position.LastIndex == 0 {
		return fmt.Errorf("recover the log in %s: it is empty; join this node to a cluster instead", dataDir)
	}
	configuration, err := recoveredConfiguration(self, survivors)
	if err != nil {
		return fmt.Errorf("recover the log in %s: %w", dataDir, err)
	}
	// The entry's term is above all that this node has seen, so that no survivor with the old
	// configuration and a log of the same length can win against it.
	entry := &raft.Log{
		Index: position.LastIndex + 1, Term: max(term, position.LastTerm) + 1,
		Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(configuration), AppendedAt: time.Now(),
	}
	if err := offline.append(entry); err != nil {
		return fmt.Errorf("recover the log in %s: %w", dataDir, err)
	}
	return nil
}

func recoveredConfiguration(self Member, survivors []Member) (raft.Configuration, error) {
	self.Voter = true
	configuration := raft.Configuration{Servers: []raft.Server{raftServer(self)}}
	seen := map[string]bool{self.ID: true}
	for _, member := range survivors {
		if member.ID == self.ID {
			continue
		}
		if member.ID == "" || member.Address == "" || seen[member.ID] {
			return configuration, fmt.Errorf("the survivor %q at %q is named twice or not completely", member.ID, member.Address)
		}
		seen[member.ID] = true
		member.Voter = true
		configuration.Servers = append(configuration.Servers, raftServer(member))
	}
	if self.ID == "" || self.Address == "" {
		return configuration, errors.New("this node's id and address are needed")
	}
	return configuration, nil
}

func openOffline(dataDir string) (*stores, error) {
	options := Options{ID: "-", Address: "-", Wire: &Wire{}, DataDir: dataDir, Fatal: func(string) {}}
	if _, err := os.Stat(filepath.Join(dataDir, "log")); err != nil {
		return nil, fmt.Errorf("there is no log in %s: %w", dataDir, err)
	}
	if err := options.complete(); err != nil {
		return nil, err
	}
	return openFiles(&options)
}

// read tells the log's end, its newest configuration, and the newest term this node has seen.
func (s *stores) read() (position LogPosition, term uint64, err error) {
	if term, err = s.stable.GetUint64(keyCurrentTerm); err != nil {
		term = 0 // an empty store answers with an error, and the entries' own terms are enough
	}
	snapshots, err := s.snapshots.List()
	if err != nil {
		return position, 0, fmt.Errorf("list the snapshots: %w", err)
	}
	var configuration raft.Configuration
	if len(snapshots) > 0 {
		newest := snapshots[0]
		position = LogPosition{LastTerm: newest.Term, LastIndex: newest.Index, SnapshotIndex: newest.Index}
		configuration = newest.Configuration
	}
	first, err := s.log.FirstIndex()
	if err != nil {
		return position, 0, err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return position, 0, err
	}
	for index := first; index <= last && last > 0; index++ {
		var entry raft.Log
		if err := s.log.GetLog(index, &entry); err != nil {
			return position, 0, fmt.Errorf("read entry %d: %w", index, err)
		}
		if entry.Index <= position.SnapshotIndex {
			continue
		}
		position.LastIndex, position.LastTerm = entry.Index, entry.Term
		if entry.Type == raft.LogConfiguration {
			configuration = raft.DecodeConfiguration(entry.Data)
		}
	}
	for _, server := range configuration.Servers {
		position.Members = append(position.Members, Member{
			ID: string(server.ID), Address: string(server.Address), Voter: server.Suffrage == raft.Voter,
		})
	}
	return position, term, nil
}

func (s *stores) append(entry *raft.Log) error {
	first, err := s.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.log.LastIndex()
	if err != nil {
		return err
	}
	if last > 0 && last+1 < entry.Index {
		// All of it lies in a newer snapshot, and the store takes no gaps.
		if err := s.log.DeleteRange(first, last); err != nil {
			return fmt.Errorf("drop the entries behind the snapshot: %w", err)
		}
	}
	if err := s.stable.SetUint64(keyCurrentTerm, entry.Term); err != nil {
		return fmt.Errorf("write down the new term: %w", err)
	}
	return s.log.StoreLog(entry)
}
