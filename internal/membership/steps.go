package membership

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/quorum"
)

// An entry that a member cannot apply ends its daemon: going on would make its State differ from
// the others'. The leader lets none in, so there is none but by a bug, or by rules that the
// members do not share. An operator may step over one on every member, by its index and its
// name, and only where it could not be applied anyway.

const (
	stuckFile = "stuck.json"
	stepsFile = "steps.json"
	// stepsToldFile is how many of the steps the audit trail has. It is a file of its own because
	// `clusterd recover` may write the list at any time.
	stepsToldFile = "steps-told.json"
)

// maxSteps bounds the list; who needs more needs another way out.
const maxSteps = 64

// Stuck is the entry at which a daemon stopped itself.
type Stuck struct {
	Index uint64 `json:"index"`
	// Name is that of its content.
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Step is an entry to step over.
type Step struct {
	Index uint64    `json:"index"`
	Name  string    `json:"name"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// NameOfEntry names an entry's content, so that no other one is stepped over in its place.
func NameOfEntry(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256 " + hex.EncodeToString(sum[:8])
}

// Steps are what a daemon knows of them.
type Steps struct {
	folder Folder
	list   []Step
}

// Load reads the list from a folder.
func (s *Steps) Load(folder Folder) error {
	s.folder = folder
	err := folder.Read(stepsFile, &s.list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Over reports whether an entry is stepped over.
func (s *Steps) Over(entry quorum.Entry) bool {
	for _, step := range s.list {
		if step.Index == entry.Index && step.Name == NameOfEntry(entry.Data) {
			return true
		}
	}
	return false
}

// Met notes the entry that ends the daemon, and says what to do about it.
func (s *Steps) Met(entry quorum.Entry, why error) string {
	stuck := Stuck{Index: entry.Index, Name: NameOfEntry(entry.Data), Why: why.Error()}
	text := fmt.Sprintf("log entry %d (%s) cannot be applied: %s; where another member applied it, "+
		"install that member's version here; where none can, see \"An entry that cannot be applied\" in recovery.md",
		stuck.Index, stuck.Name, stuck.Why)
	if s.folder == "" {
		return text
	}
	if err := s.folder.Write(stuckFile, stuck); err != nil {
		text += "; it could not be noted: " + err.Error()
	}
	return text
}

// Tell tells of each step once, over all starts of the daemon.
func (s *Steps) Tell(tell func(Step)) error {
	if s.folder == "" || len(s.list) == 0 {
		return nil
	}
	told, err := ReadOptional[int](s.folder, stepsToldFile)
	if err != nil {
		return err
	}
	from := 0
	if told != nil {
		from = max(0, min(*told, len(s.list)))
	}
	if from == len(s.list) {
		return nil
	}
	for _, step := range s.list[from:] {
		tell(step)
	}
	return s.folder.Write(stepsToldFile, len(s.list))
}

// StuckAt is the entry at which this node's daemon stopped itself last; nil if there is none.
func StuckAt(node nodefile.Node) (*Stuck, error) {
	return ReadOptional[Stuck](Folder(node.DataDir), stuckFile)
}

// StepOver lets this node's daemon step over an entry at its next start. On a node that has not
// met the entry, its name tells which is meant.
func StepOver(node nodefile.Node, index uint64, name, by string) (Step, error) {
	folder := Folder(node.DataDir)
	if _, err := folder.Membership(); err != nil {
		return Step{}, err
	}
	stuck, err := StuckAt(node)
	if err != nil {
		return Step{}, err
	}
	switch {
	case stuck != nil && stuck.Index == index && name == "":
		name = stuck.Name
	case stuck != nil && stuck.Index == index && name != stuck.Name:
		return Step{}, fmt.Errorf("entry %d on %s is %q, not %q: it is not the entry that the others stopped at",
			index, node.Name, stuck.Name, name)
	case name == "":
		return Step{}, fmt.Errorf("the daemon on %s has not stopped at entry %d; to step over it before it comes there, "+
			"give its name as the others tell it: --entry 'sha256 ...'", node.Name, index)
	case !strings.HasPrefix(name, "sha256 "):
		return Step{}, fmt.Errorf("%q is not the name of an entry; it begins with sha256", name)
	}
	known, err := ReadOptional[[]Step](folder, stepsFile)
	if err != nil {
		return Step{}, err
	}
	var list []Step
	if known != nil {
		list = *known
	}
	if len(list) >= maxSteps {
		return Step{}, fmt.Errorf("%d entries are stepped over on %s already; restore a backup instead", len(list), node.Name)
	}
	step := Step{Index: index, Name: name, By: by, At: time.Now().UTC()}
	return step, folder.Write(stepsFile, append(list, step))
}
