package membership

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/quorum"
)

// RecoverLog makes the log of this node usable without the dead nodes. It
// returns the names that remain.
func RecoverLog(node nodefile.Node, dead []string, by string) ([]string, error) {
	folder := Folder(node.DataDir)
	if _, err := folder.Membership(); err != nil {
		return nil, err
	}
	position, err := quorum.Inspect(folder.LogDir())
	if err != nil {
		return nil, fmt.Errorf("look into the log (is the daemon stopped?): %w", err)
	}
	var self quorum.Member
	var survivors []quorum.Member
	var names []string
	unknown := slices.Clone(dead)
	for _, m := range position.Members {
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == m.ID })
		switch {
		case slices.Contains(dead, m.ID):
			continue
		case m.ID == node.Name:
			self = m
		default:
			survivors = append(survivors, m)
		}
		names = append(names, m.ID)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s is no member of the log; nothing was changed", unknown[0])
	}
	if self.ID == "" {
		return nil, fmt.Errorf("this node, %s, is named dead or is no member of the log", node.Name)
	}
	// What the two-node rule had decided is over: a person decides now.
	for _, file := range []string{PartingFile, WarrantFile, RejoinFile} {
		if err := folder.Remove(file); err != nil {
			return nil, err
		}
	}
	// Intent before effect: the daemon carries recovery.json out once it leads.
	if err := folder.Write(RecoveryFile, Recovery{Dead: dead, By: by, Through: position.LastIndex}); err != nil {
		return nil, err
	}
	if err := quorum.Recover(folder.LogDir(), self, survivors); err != nil {
		return nil, errors.Join(err, ignoreMissing(folder.Remove(RecoveryFile)))
	}
	return names, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
