package ocf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/ocf/program"
)

func TestNoPieceOfASecretIsSaid(t *testing.T) {
	const short, long, other = "hush", "hush-hush-9931", "word-5512"
	hide := hiding([]string{short, long, other, "x"})
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "resource.d", "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "resource.d", "test", "any"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	agent, err := dialect.Folders{OCF: folder}.Find("ocf:test:any")
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		"login with " + long + " failed",
		"ocf-exit-reason:" + strings.Repeat("a", 195) + other, // the sentence ends after 200 letters
		"login with wo\x01rd-5512 failed",                     // put together when the line is made plain
	} {
		ended := hide.ended(program.Ended{Code: 1, Stderr: []byte(printed)})
		why := hide.verdict(agent.(dialect.Runner).Judge(dialect.Request{Action: dialect.Start}, ended)).Why
		for _, piece := range []string{"hush", "9931", "word", "5512"} {
			if strings.Contains(why, piece) {
				t.Errorf("%q is told as %q", printed, why)
			}
		}
	}
	if why := hide.verdict(dialect.Verdict{Why: "text with x"}).Why; why != "text with x" {
		t.Errorf("a secret of one letter is looked for: %q", why)
	}
}
