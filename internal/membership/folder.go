package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// Folder is the node's data folder:
//
//	node.key node.crt   its identity (0600)
//	node.key.next       the key that it is being given, and the one before: only while that is
//	node.key.old        under way (0600)
//	keys.json           whose key is whose, as it was known last (0600)
//	membership.json     which cluster it belongs to, and whom to ask first
//	founding.json       the first commands, until they are in the log (0600)
//	recovery.json       the generation to begin after `clusterd recover`
//	warrant.json        what permits it to go on without the other of two nodes (0600)
//	parting.json        its decision to do so, until it is carried out (0600)
//	rejoin.json         a generation began without it: its log is set aside
//	stuck.json          the log entry that could not be applied, and why
//	steps.json          log entries that an operator steps over
//	steps-told.json     how many of them the audit trail has
//	log-held.json       how far its log goes, and what the others were heard to hold
//	log-lost.json       it does not hold what it acknowledged: its log is set aside
//	timing.json         the document's timing when the daemon ran last
//	removed.json        this node was removed, and its key counts for nothing
//	restore.json        the state to begin with after `clusterd restore` (0600)
//	raft/               the replicated log and its snapshots
//	raft-set-aside/     the log that it held before: of a generation that went on
//	                    without this node, or what was left of one that was lost
//	plans/              what the leader planned from, without secrets (0600)
type Folder string

// ErrNoCluster is returned when the folder belongs to no cluster yet.
var ErrNoCluster = errors.New("this node belongs to no cluster yet; run `clusterd init` or `clusterd join TOKEN`")

// Membership is what a node must know before its log tells it more.
type Membership struct {
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
	Node    string `json:"node"`
	// Founder marks the node that began the log.
	Founder bool `json:"founder,omitempty"`
	// Members are addresses to contact first, by node.
	Members map[string]string `json:"members,omitempty"`
}

// Founding are the first commands of a cluster.
type Founding struct {
	Init cluster.Init `json:"init"`
	Join cluster.Join `json:"join"`
}

// Recovery is what `clusterd recover` leaves for the next start.
type Recovery struct {
	Dead []string `json:"dead"`
	By   string   `json:"by"`
	// Through is where the log ended when a person said that the dead are off.
	Through uint64 `json:"through,omitempty"`
	// Generation is the one to begin, once the daemon has chosen it.
	Generation uint64 `json:"generation,omitempty"`
	// Parting is set where the two-node rule recovers, and no person.
	Parting *cluster.Parting `json:"parting,omitempty"`
}

// Command is what the log is told.
func (r Recovery) Command() cluster.Command {
	if p := r.Parting; p != nil && p.Result != nil {
		return p.Command()
	}
	return cluster.Recover{Generation: r.Generation, Dead: r.Dead, Through: r.Through, By: r.By}
}

func (f Folder) path(name string) string { return filepath.Join(string(f), name) }

// LogDir is where the replicated log lies.
func (f Folder) LogDir() string { return f.path("raft") }

// AsideDir is where a log lies that was set aside.
func (f Folder) AsideDir() string { return f.path("raft-set-aside") }

// PlansDir is where the records of plans lie, for `clusterd replay`.
func (f Folder) PlansDir() string { return f.path("plans") }

// Membership reads membership.json. ErrNoCluster is returned when there is none.
func (f Folder) Membership() (Membership, error) {
	var m Membership
	err := f.Read(MembershipFile, &m)
	if errors.Is(err, fs.ErrNotExist) {
		return m, ErrNoCluster
	}
	return m, err
}

// SaveMembership makes the node a member: secrets first, membership.json last,
// because the node is a member once that is there.
func (f Folder) SaveMembership(m Membership, identity *pki.Identity) error {
	if err := pki.SaveIdentity(string(f), identity); err != nil {
		return err
	}
	for _, file := range []string{HeldFile, LostFile, RejoinFile, RemovedFile} { // they tell of another log
		if err := f.Remove(file); err != nil {
			return err
		}
	}
	return f.Write(MembershipFile, m)
}

// Read decodes a file of the folder; a missing one is fs.ErrNotExist.
func (f Folder) Read(name string, into any) error {
	text, err := pki.ReadSecret(f.path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", f.path(name), err)
	}
	return nil
}

// Write replaces a file of the folder, readable by root alone, and returns once it is on the disk.
func (f Folder) Write(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path(name), err)
	}
	return pki.WriteSecret(f.path(name), text)
}

// Remove removes a file of the folder; that there is none is no error.
func (f Folder) Remove(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ReadLarge is read without the bound that fits keys: a backup is larger.
func (f Folder) ReadLarge(name string, into any) error {
	info, err := os.Stat(f.path(name))
	if err != nil {
		return err
	}
	if info.Size() > largestBackup {
		return fmt.Errorf("read %s: it is larger than %d bytes", f.path(name), largestBackup)
	}
	text, err := os.ReadFile(f.path(name))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// ForgetFounding makes the founder a member like any other.
func (f Folder) ForgetFounding() error {
	m, err := f.Membership()
	if err != nil || !m.Founder {
		return err
	}
	m.Founder = false
	return f.Write(MembershipFile, m)
}

// decisionFiles hold what is to be done once the log that decided it is open.
var decisionFiles = []string{WarrantFile, PartingFile, RecoveryFile, FoundingFile, RestoreFile}

// DropDecisions removes what was decided by a log that is set aside.
func (f Folder) DropDecisions() error {
	for _, file := range decisionFiles {
		if err := f.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// SetLogAside keeps the log beside, for whoever wants to look into it, until the next one takes
// its place. It may have been moved already, by a start that was killed after it.
func (f Folder) SetLogAside() error {
	if _, err := os.Stat(f.LogDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := os.RemoveAll(f.AsideDir()); err != nil {
		return fmt.Errorf("make room for the old log: %w", err)
	}
	if err := os.Rename(f.LogDir(), f.AsideDir()); err != nil {
		return fmt.Errorf("set the old log aside: %w", err)
	}
	return nil
}
