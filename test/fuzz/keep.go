package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Inputs that are kept with the source have so many bytes at most; where a target has none that is
// small enough, its smallest.
const (
	smallEnough = 600
	largestKept = 16 << 10
)

// keep puts inputs that the engine found worth keeping into each package's testdata, where a run
// begins that has no cache, and which every plain test run goes through. Of many it takes some of
// each size.
func keep(ctx context.Context, targets []target, most int) error {
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("ask Go where its cache is: %w", err)
	}
	module, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	if err != nil {
		return fmt.Errorf("ask Go what this module is: %w", err)
	}
	inputs := filepath.Join(strings.TrimSpace(string(cache)), "fuzz", strings.TrimSpace(string(module)))
	for _, t := range targets {
		found, err := small(filepath.Join(inputs, t.folder, t.name))
		if err != nil {
			return err
		}
		into := corpus(t)
		if err := errors.Join(os.RemoveAll(into), os.MkdirAll(into, 0o755)); err != nil {
			return err
		}
		for i := range min(most, len(found)) {
			one := found[i*len(found)/min(most, len(found))]
			if err := os.WriteFile(filepath.Join(into, one.name), one.text, 0o644); err != nil {
				return err
			}
		}
		fmt.Printf("%-28s %-36s %3d of %d\n", t.name, t.folder, min(most, len(found)), len(found))
	}
	return nil
}

// corpus is where Go looks for a target's inputs.
func corpus(t target) string { return filepath.Join(t.folder, "testdata", "fuzz", t.name) }

type input struct {
	name string
	text []byte
}

// small are the inputs in a folder that may be kept, by size; none where there is no folder.
func small(folder string) ([]input, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []input
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, input{entry.Name(), text})
	}
	slices.SortFunc(found, func(a, b input) int {
		if len(a.text) != len(b.text) {
			return len(a.text) - len(b.text)
		}
		return strings.Compare(a.name, b.name)
	})
	count := sort.Search(len(found), func(i int) bool { return len(found[i].text) > smallEnough })
	if count == 0 && len(found) > 0 && len(found[0].text) <= largestKept {
		count = 1
	}
	return found[:count], nil
}
