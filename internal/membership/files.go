package membership

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Files of the data folder; what each is for stands at Folder.
const (
	MembershipFile = "membership.json"
	FoundingFile   = "founding.json"
	RestoreFile    = "restore.json"
	// RecoveryFile is what a recovery leaves for the next start.
	RecoveryFile = "recovery.json"
	// Files of the two-node rule.
	WarrantFile = "warrant.json"
	PartingFile = "parting.json"
	RejoinFile  = "rejoin.json"
	// HeldFile lies beside the key and not in the log's folder: how far the log went, what other nodes
	// were heard to hold, and where they are.
	HeldFile = "log-held.json"
	// LostFile says that this node does not hold what it acknowledged.
	LostFile = "log-lost.json"
	// RemovedFile tells that this node was removed from its cluster. Its key counts for
	// nothing for good, so every later start of the daemon would ask in vain.
	RemovedFile = "removed.json"
)

// ReadOptional reads a file of the folder; nil where there is none.
func ReadOptional[T any](folder Folder, name string) (*T, error) {
	var value T
	err := folder.Read(name, &value)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &value, nil
}

// Removal is what removedFile says.
type Removal struct {
	Cluster string    `json:"cluster"`
	Node    string    `json:"node"`
	At      time.Time `json:"at"`
}

// Removal says whether the node of this folder was removed; nil if it was not.
func (f Folder) Removal() (*Removal, error) {
	var r Removal
	err := f.Read(RemovedFile, &r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &r, err
}

// Error tells a person what to do.
func (r Removal) Error() string {
	return fmt.Sprintf("this node, %s, was removed from cluster %s (known since %s); what runs here runs on. "+
		"To let it join again, empty its data folder, then `clusterd join`", r.Node, r.Cluster,
		r.At.Local().Format("2006-01-02 15:04:05"))
}

// ErrAgain ends a run of a daemon that has to be started again at once, in the same process: its
// log was put aside, or is to go on otherwise.
var ErrAgain = errors.New("the daemon starts again")

// ErrRemoved is what a Removal is: this node was removed from the cluster.
var ErrRemoved = errors.New("this node was removed from the cluster")

// Is makes it ErrRemoved.
func (r Removal) Is(err error) bool { return err == ErrRemoved }
