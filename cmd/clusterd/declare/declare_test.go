package declare

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"
)

const inForce = `cluster: alpha
domains:
  racks: {members: {node1: 1}}
services:
  vm:web: {domain: racks, priority: 7}
  service:shop: {domain: racks}
`

const definition = "<domain><name>new</name><uuid>11111111-2222-3333-4444-555555555555</uuid>" +
	"<memory unit='GiB'>1</memory></domain>\n"

// made is the text that a command line would have put into force.
func made(t *testing.T, words ...string) (text string, err error) {
	t.Helper()
	change := func(c *urfave.Context, edit Edit) (bool, error) {
		text, err = edit(Document{Text: inForce, Cluster: "alpha", Version: 5})
		return !c.Bool("dry-run") && err == nil, err
	}
	app := &urfave.App{Name: "clusterd", Writer: io.Discard, ErrWriter: io.Discard,
		ExitErrHandler: func(*urfave.Context, error) {},
		Commands: []*urfave.Command{
			{Name: "config", Subcommands: []*urfave.Command{Set(change), EditConfig(change)}},
			{Name: "vm", Subcommands: VM(change)}, Service(change), Domain(change)}}
	err = app.Run(append([]string{"clusterd"}, words...))
	return text, err
}

func TestEachCommandChangesWhatItNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.xml")
	if err := os.WriteFile(file, []byte(definition), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"config set services.vm:web.priority=9":  "priority: 9",
		"vm set web priority=9":                  "priority: 9",
		"vm set vm:web priority=":                "vm:web: {domain: racks}",
		"vm add --domain racks " + file:          "domain: racks\n        definition: |",
		"vm add --disabled " + file:              "autostart: false",
		"service set shop recovery=restart":      "recovery: restart",
		"domain set racks members={node2: 1}":    "members: {node2: 1}",
		"domain set east ordered=true":           "east:\n    ordered: true",
		"service set service:shop priority=[--]": "priority: [--]",
	} {
		words := strings.Fields(line)
		if strings.Contains(line, "{") { // a value with a space in it
			words = append(strings.Fields(line[:strings.Index(line, " members")]), line[strings.Index(line, "members"):])
		}
		if text, err := made(t, words...); err != nil || !strings.Contains(strings.ReplaceAll(text, "    ", "  "),
			strings.ReplaceAll(want, "    ", "  ")) {
			t.Errorf("%s: %v\n%s\nwant %q in it", line, err, text, want)
		}
	}
	for line, gone := range map[string]string{"vm rm web": "vm:web", "service rm shop": "service:shop",
		"domain rm racks": "racks: {"} {
		if text, err := made(t, strings.Fields(line)...); err != nil || strings.Contains(text, gone) || text == "" {
			t.Errorf("%s: %v\n%s", line, err, text)
		}
	}
}

func TestWrongUseChangesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bare.xml")
	if err := os.WriteFile(file, []byte("<domain><name>x</name></domain>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"config set": "needs KEY=VALUE", "vm set web": "needs KEY=VALUE", "vm set": "needs the NAME of a VM",
		"vm rm": "needs the NAME of a VM", "vm rm web db": "takes one NAME", "vm rm db": "it is not there",
		"vm add": "the FILE", "vm add " + file: "has no <uuid>", "vm add /none/x.xml": "no such file",
		"domain set racks x": "is not KEY=VALUE", "config edit now": "takes no operands",
	} {
		if text, err := made(t, strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) || text != "" {
			t.Errorf("%s: %v %q, want %q", line, err, text, want)
		}
	}
}

// TestWhatWasEditedIsNotLost: an editor's text is put into force and its file goes, or the error
// names the file.
func TestWhatWasEditedIsNotLost(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("VISUAL", "sed -i s/racks/rows/")
	if text, err := made(t, "config", "edit"); err != nil || !strings.Contains(text, "rows: {members") {
		t.Errorf("%v\n%s", err, text)
	}
	if left, _ := filepath.Glob(os.TempDir() + "/clusterd-edit-*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	t.Setenv("VISUAL", "sed -i s/nothing/x/")
	if _, err := made(t, "config", "edit"); !errors.Is(err, ErrUnchanged) {
		t.Errorf("what is as it was: %v", err)
	}
	t.Setenv("VISUAL", "false")
	if _, err := made(t, "config", "edit"); err == nil || !strings.Contains(err.Error(), "the editor false") ||
		strings.Contains(err.Error(), "what you edited") {
		t.Errorf("an editor that fails and wrote nothing: %v", err)
	}
	writes := filepath.Join(t.TempDir(), "writes-and-fails")
	if err := os.WriteFile(writes, []byte("#!/bin/sh\nsed -i s/racks/rows/ \"$1\"\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", writes)
	_, err := made(t, "config", "edit")
	keeps(t, "an editor that fails and wrote", errText(err))
	t.Setenv("VISUAL", "sed -i s/racks/rows/")
	refuses := EditConfig(func(_ *urfave.Context, edit Edit) (bool, error) {
		if _, err := edit(Document{Text: inForce, Cluster: "alpha", Version: 5}); err != nil {
			return false, err
		}
		return false, errors.New("it has a fault")
	})
	app := &urfave.App{Commands: []*urfave.Command{refuses}, ExitErrHandler: func(*urfave.Context, error) {}}
	keeps(t, "what has a fault", errText(app.Run([]string{"clusterd", "edit"})))
	if _, err := made(t, "config", "edit", "--dry-run"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(os.TempDir() + "/clusterd-edit-*"); len(left) != 3 {
		t.Errorf("after a rehearsal %v is left", left)
	}
}

// keeps holds that an error names the file in which the text is, for its version and for one user.
func keeps(t *testing.T, what, says string) {
	t.Helper()
	_, path, named := strings.Cut(says, "what you edited is in ")
	if !named {
		t.Fatalf("%s: the file is not named: %s", what, says)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "# version 5\n") || !strings.Contains(string(text), "rows") {
		t.Errorf("%s: %v %s", what, err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: others may read it: %v %v", what, info.Mode(), err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
