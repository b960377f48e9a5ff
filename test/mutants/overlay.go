package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/test/mutants/breaks"
)

// mutated returns a mutant's files with the edits done, by path in the module.
func mutated(m breaks.Mutant, root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.Edits {
		text, known := files[e.File]
		if !known {
			data, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
			}
			text = string(data)
		}
		if count := strings.Count(text, e.Old); count != 1 {
			return nil, fmt.Errorf("mutant %s: %s contains its old text %d times, once is needed; the code has changed, "+
				"bring the mutant after it:\n%s", m.Name, e.File, count, e.Old)
		}
		files[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return files, nil
}

// overlay writes the edited files into a folder, and the list that tells the
// compiler to take them. It returns the list's path.
func overlay(m breaks.Mutant, root, folder string) (string, error) {
	files, err := mutated(m, root)
	if err != nil {
		return "", err
	}
	list := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		place := filepath.Join(folder, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(place, []byte(text), 0o600); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(root, path)] = place
	}
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	place := filepath.Join(folder, "overlay.json")
	return place, os.WriteFile(place, data, 0o600)
}

// moduleRoot is the folder of go.mod above the working folder.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", fmt.Errorf("no go.mod above the working folder; run it in the module")
		}
		folder = above
	}
}
