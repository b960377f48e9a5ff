package support

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/owned"
	"github.com/clusterd/clusterd/internal/recorder"
	"github.com/clusterd/clusterd/internal/vault"
)

const (
	// bundledEvents is all that a State keeps.
	bundledEvents = 5000
	// bundledPlans are the newest records of plans.
	bundledPlans = 64
	journalLines = "5000"
	// textWidth is that of the tables, which nobody reads on this terminal.
	textWidth = 120
)

// collection collects a bundle. Daemon and settings may each be missing.
type collection struct {
	began       time.Time
	client      *api.Client
	clientError error
	node        nodefile.Node
	nodeError   error

	mu      sync.Mutex
	secrets []string
}

func newCollection(c *urfave.Context) *collection {
	s := &collection{began: time.Now()}
	s.client, s.clientError = command.Connect(c)
	s.node, s.nodeError = command.NodeSettings(c)
	if s.nodeError == nil {
		s.rememberKeys(s.node.DataDir)
	}
	return s
}

func (s *collection) parts() []part {
	return []part{
		{"about.txt", s.about},
		{"settings.json", s.settings},
		{"status.json", s.status},
		{"events.json", s.events},
		{"doctor.json", asked(s, "doctor.json", (*api.Client).Doctor)},
		{"fence.json", asked(s, "fence.json", (*api.Client).Fence)},
		{"document.yaml", s.document},
		{"state.json", s.state},
		{"log-position.json", s.logPosition},
		{"plans", s.plans},
		{"journal.txt", journal},
	}
}

// asked is a part that is one answer of the daemon.
func asked[A any](s *collection, name string,
	ask func(*api.Client, context.Context) (A, error)) func(context.Context) ([]bundled, error) {
	return func(ctx context.Context) ([]bundled, error) {
		if s.clientError != nil {
			return nil, s.clientError
		}
		answer, err := ask(s.client, ctx)
		if err != nil {
			return nil, err
		}
		return inJSON(name, answer)
	}
}

func inJSON(name string, value any) ([]bundled, error) {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return []bundled{{name: name, content: append(text, '\n')}}, nil
}

func (s *collection) about(context.Context) ([]bundled, error) {
	var out bytes.Buffer
	host, _ := os.Hostname() // A host without a name is told as one.
	fmt.Fprintf(&out, "clusterd %s, cluster version %d, plan records format %d\n", daemon.Version, cluster.CurrentLevel,
		recorder.FormatVersion)
	fmt.Fprintf(&out, "built with %s for %s/%s\nhost %s, %d CPUs, collected at %s\n", runtime.Version(), runtime.GOOS,
		runtime.GOARCH, host, runtime.NumCPU(), s.began.Format(time.RFC3339))
	for _, path := range []string{"/etc/os-release", "/proc/sys/kernel/osrelease", "/proc/uptime", "/proc/loadavg"} {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error() + "\n")
		}
		fmt.Fprintf(&out, "\n%s:\n%s", path, text)
	}
	return []bundled{{name: "about.txt", content: out.Bytes()}}, nil
}

func (s *collection) settings(context.Context) ([]bundled, error) {
	if s.nodeError != nil {
		return nil, s.nodeError
	}
	return inJSON("settings.json", s.node)
}

// status holds the node list too.
func (s *collection) status(ctx context.Context) ([]bundled, error) {
	if s.clientError != nil {
		return nil, s.clientError
	}
	status, err := s.client.Status(ctx, false)
	if err != nil {
		return nil, err
	}
	files, err := inJSON("status.json", status)
	return append(files, bundled{name: "status.txt",
		content: []byte(cli.Status(status, cli.View{Long: true, Width: textWidth}))}), err
}

func (s *collection) events(ctx context.Context) ([]bundled, error) {
	if s.clientError != nil {
		return nil, s.clientError
	}
	page, err := s.client.Events(ctx, api.EventQuery{Limit: bundledEvents})
	if err != nil {
		return nil, err
	}
	files, err := inJSON("events.json", page)
	return append(files, bundled{name: "events.txt", content: []byte(cli.Timeline(page.Events, textWidth))}), err
}

func (s *collection) document(ctx context.Context) ([]bundled, error) {
	if s.clientError != nil {
		return nil, s.clientError
	}
	document, err := s.client.Config(ctx)
	if err != nil {
		return nil, err
	}
	text, err := shownDocument(document.Text)
	if err != nil {
		return nil, err
	}
	return []bundled{{name: "document.yaml", content: fmt.Appendf(nil, "# version %d of %s\n%s", document.Version,
		document.At.Format(time.RFC3339), text)}}, nil
}

// shownDocument leaves out what the daemon's own masking does not know: options
// of fence devices, definitions (which are files of the bundle anyway) and comments.
func shownDocument(text string) (string, error) {
	var document yaml.Node
	if err := yaml.Load([]byte(text), &document); err != nil || len(document.Content) != 1 {
		return "", errors.New("the document in force cannot be read, so it is not shown: it may hold passwords")
	}
	blankDocument(document.Content[0], "")
	shown, err := yaml.Dump(document.Content[0])
	return string(shown), err
}

// blankDocument walks a document; within is the key that the node belongs to.
func blankDocument(node *yaml.Node, within string) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	hidden := within == "password" || within == "options" || within == "definition" || within == "arguments"
	if node.Kind == yaml.AliasNode || (hidden && node.Kind == yaml.ScalarNode) {
		*node = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: recorder.Blank}
		return
	}
	for i, child := range node.Content {
		switch {
		case node.Kind != yaml.MappingNode:
			blankDocument(child, within)
		case i%2 == 0:
			child.HeadComment, child.LineComment, child.FootComment = "", "", ""
		case within == "parameters" && fence.IsSecret(node.Content[i-1].Value, child.Value):
			blankDocument(child, "password")
		case hidden:
			blankDocument(child, within) // all that lies below
		default:
			blankDocument(child, node.Content[i-1].Value)
		}
	}
}

// state is the whole State and the definitions, from a backup that never leaves
// this process as it is.
func (s *collection) state(ctx context.Context) ([]bundled, error) {
	if s.clientError != nil {
		return nil, s.clientError
	}
	backup, err := s.client.Backup(ctx)
	if err != nil {
		return nil, err
	}
	var kept membership.Backup
	if err := json.Unmarshal(backup, &kept); err != nil {
		return nil, errors.New("the daemon's State cannot be read by this clusterd; use the one of the same version")
	}
	state := kept.State
	s.rememberState(&state)
	if secrets, err := vault.SecretsOf(kept); err == nil {
		s.remember(secrets...)
	}
	s.remember(base64.StdEncoding.EncodeToString(kept.DataKey))
	files, err := inJSON("state.json", recorder.WithoutSecrets(&state))
	for _, hash := range state.Blobs.Keys() {
		text, _ := state.Blobs.Get(hash)
		files = append(files, bundled{name: "definitions/" + hash + ".xml",
			content: []byte(recorder.DefinitionWithoutSecrets(text))})
	}
	return files, err
}

// logPosition looks into the log's files only where no daemon has them open.
func (s *collection) logPosition(ctx context.Context) ([]bundled, error) {
	const name = "log-position.json"
	if s.clientError != nil {
		return nil, s.clientError
	}
	status, err := s.client.Status(ctx, false)
	switch {
	case err == nil:
		return inJSON(name, map[string]any{"toldBy": status.Local, "index": status.Index, "generation": status.Generation,
			"leader": status.Leader, "quorum": status.Quorate})
	case !errors.Is(err, api.ErrNoDaemon) || !s.client.Local():
		return nil, err
	case s.nodeError != nil:
		return nil, s.nodeError
	}
	found, err := command.LogPosition(s.node)
	if err != nil {
		return nil, err
	}
	return inJSON(name, map[string]any{"readFrom": s.node.DataDir, "position": found})
}

// plans copies the newest records of this node; they are written without secrets.
func (s *collection) plans(context.Context) ([]bundled, error) {
	if s.nodeError != nil {
		return nil, s.nodeError
	}
	folder := membership.Folder(s.node.DataDir).PlansDir()
	paths, err := recorder.List(folder)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there are no records in %s; only the leader plans, collect a bundle on the other nodes too",
			folder)
	}
	var files []bundled
	total := 0
	for i := len(paths) - 1; i >= 0 && len(files) < bundledPlans && total < largestPart; i-- {
		text, err := os.ReadFile(paths[i])
		if errors.Is(err, os.ErrNotExist) {
			continue // The daemon has made room meanwhile.
		} else if err != nil {
			return files, err
		}
		total += len(text)
		files = append(files, bundled{name: "plans/" + filepath.Base(paths[i]), content: text, opaque: true})
	}
	return files, nil
}

// journal is what the daemon told the system's journal last.
func journal(ctx context.Context) ([]bundled, error) {
	path, err := owned.Find("journalctl")
	if err != nil {
		return nil, err
	}
	program := exec.CommandContext(ctx, path, "--unit", "clusterd", "--lines", journalLines, "--no-pager",
		"--output", "short-iso-precise")
	program.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
	program.WaitDelay = time.Second
	output, complaints := &clipped{limit: largestPart / 2}, &clipped{limit: 4 << 10}
	program.Stdout, program.Stderr = output, complaints
	if err := program.Run(); err != nil {
		return nil, fmt.Errorf("journalctl: %w: %s", err, bytes.TrimSpace(complaints.kept.Bytes()))
	}
	return []bundled{{name: "journal.txt", content: output.kept.Bytes()}}, nil
}

// clipped keeps the beginning of what is written to it and swallows the rest.
type clipped struct {
	limit int
	kept  bytes.Buffer
}

// Write never fails.
func (c *clipped) Write(p []byte) (int, error) {
	if room := c.limit - c.kept.Len(); room > 0 {
		c.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
