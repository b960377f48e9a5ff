package stage

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// BuildTags are those of every build of clusterd.
const BuildTags = "libvirt_dlopen,urfave_cli_no_docs"

// BuildTools builds all commands of the source tree at root into a folder, for tests; programs
// are given the folder of a build.
func BuildTools(ctx context.Context, root, folder string) error {
	argv := []string{"build", "-tags", BuildTags, "-o", folder + "/"}
	for _, name := range tools {
		argv = append(argv, "./cmd/"+name)
	}
	command := exec.CommandContext(ctx, "go", argv...)
	command.Dir = root
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tools: %w\n%s", err, output)
	}
	return nil
}

// tools are the names of what BuildTools builds.
var tools = []string{"clusterd", "clusterd-doorkeeper", "clustat", "clusvcadm"}

// CheckTools says why the tools of a folder are not those of the source tree at root: a test that
// passes with an old build says nothing of the code.
func CheckTools(ctx context.Context, root, folder string) error {
	head, err := git(ctx, root, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	changes, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return err
	}
	newest, err := newestSource(root)
	if err != nil {
		return err
	}
	var stale []error
	for _, name := range tools {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		about, err := buildinfo.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read how %s was built: %w", path, err)
		}
		settings := map[string]string{}
		for _, s := range about.Settings {
			settings[s.Key] = s.Value
		}
		b := build{revision: settings["vcs.revision"], modified: settings["vcs.modified"] != "false", at: info.ModTime()}
		if why := b.differs(head, changes != "", newest); why != "" {
			stale = append(stale, fmt.Errorf("%s %s; build it again", path, why))
		}
	}
	return errors.Join(stale...)
}

// build is what is known of how a program was made.
type build struct {
	revision string
	modified bool
	at       time.Time
}

// differs says what keeps a program from being that of a tree. With changes that are in no commit,
// on either side, only their time can tell.
func (b build) differs(head string, changed bool, newest time.Time) string {
	switch {
	case b.revision == "":
		return "does not say of which commit it is"
	case b.revision != head:
		return fmt.Sprintf("is of commit %.12s, and the tree is at %.12s", b.revision, head)
	case (b.modified || changed) && !b.at.After(newest):
		return "is older than the newest change of the tree"
	}
	return ""
}

func git(ctx context.Context, root string, argv ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, argv...)...).Output()
	if err != nil {
		return "", fmt.Errorf("ask git of which commit the tree is: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// newestSource is when the last file that goes into a build was changed.
func newestSource(root string) (newest time.Time, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case entry.IsDir() && path != root && (name == "bin" || strings.HasPrefix(name, ".git")):
			return filepath.SkipDir
		case entry.IsDir() || (filepath.Ext(name) != ".go" && name != "go.mod" && name != "go.sum"):
			return nil
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	return newest, err
}
