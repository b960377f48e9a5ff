package main

import (
	"os"
	"os/exec"
	"testing"
)

// TestEachTargetHasACorpus: what the engine found once is not found anew on a machine without its
// cache.
func TestEachTargetHasACorpus(t *testing.T) {
	t.Chdir("../..")
	targets, err := find("")
	if err != nil || len(targets) < 30 {
		t.Fatalf("%d targets, %v", len(targets), err)
	}
	for _, target := range targets {
		entries, err := os.ReadDir(corpus(target))
		if err != nil || len(entries) == 0 {
			t.Errorf("%s in %s has no corpus: go run ./test/fuzz -time 10s -only %s, then -keep 6", target.name, target.folder,
				target.name)
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && info.Size() > largestKept {
				t.Errorf("%s of %s is larger than %d bytes: show the failure by a small one", entry.Name(), target.name,
					largestKept)
			}
		}
	}
}

// hungry is the name in the environment that has this test take too much.
const hungry = "CLUSTERD_FUZZ_HUNGRY"

// TestNoProcessTakesMoreThanItsMemory: what asks for more ends, and what asks for less does not.
func TestNoProcessTakesMoreThanItsMemory(t *testing.T) {
	switch os.Getenv(hungry) {
	case "much":
		kept = make([]byte, mostMemory+1)
		return
	case "little":
		kept = make([]byte, mostMemory/8)
		return
	}
	for amount, ends := range map[string]bool{"much": true, "little": false} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
		child.Env = append(os.Environ(), hungry+"="+amount, bounding+"=1")
		if output, err := child.CombinedOutput(); (err != nil) != ends {
			t.Errorf("a process that asks for %s: %v\n%.500s", amount, err, output)
		}
	}
}

var kept []byte

// TestMain lets a child of the test above take what it wants within the limit.
func TestMain(m *testing.M) {
	if os.Getenv(bounding) != "" {
		_ = os.Unsetenv(bounding)
		panic(bounded(os.Args))
	}
	os.Exit(m.Run())
}
