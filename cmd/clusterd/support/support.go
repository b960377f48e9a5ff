package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/recorder"
)

const (
	// partDeadline bounds one part of a bundle; a doctor's examination takes 8 s at most.
	partDeadline = 12 * time.Second
	// largestPart and largestBundle bound what goes into it.
	largestPart   = 16 << 20
	largestBundle = 96 << 20
)

// Command is `clusterd support-bundle`.
func Command() *urfave.Command {
	return &urfave.Command{
		Name: "support-bundle", Usage: "collect diagnostics for a support case, without passwords and keys",
		ArgsUsage: "OUT.tar.gz",
		Description: "It works without a daemon too, and then holds what lies on this host. What could not be collected " +
			"is a file that says why. " +
			"The bundle names nodes, addresses, services and disks, and what people wrote as reasons: look at it before " +
			"you send it.",
		Action: func(c *urfave.Context) error {
			path, err := command.Argument(c, "the OUT.tar.gz to write")
			if err != nil {
				return err
			}
			return writeBundle(c, path)
		},
	}
}

func writeBundle(c *urfave.Context, path string) error {
	s := newCollection(c)
	files := s.collect(c.Context, s.parts())
	content, err := packed(files, s.began)
	if err != nil {
		return err
	}
	if err := pki.WriteSecret(path, content); err != nil {
		return err
	}
	var missing []string
	for _, f := range files {
		if name, failed := strings.CutSuffix(f.name, missingSuffix); failed {
			missing = append(missing, name)
		}
	}
	fmt.Printf("Wrote %d files, %d bytes, to %s (mode 0600).\n", len(files), len(content), path)
	if len(missing) > 0 {
		fmt.Printf("Could not be collected, each with a file that says why: %s\n", strings.Join(missing, ", "))
	}
	fmt.Println("It holds no passwords and keys, but names nodes, addresses, services and disks: look at it before " +
		"you send it.")
	return nil
}

// bundled is one file of a bundle.
type bundled struct {
	name    string
	content []byte
	// opaque: compressed already, and without secrets by its own making.
	opaque bool
}

// part collects some files. The name is that of what is missing when it fails.
type part struct {
	name    string
	collect func(ctx context.Context) ([]bundled, error)
}

// missingSuffix ends the name of a file that says why a part is not there.
const missingSuffix = ".missing.txt"

// collect runs all parts at once, each with its deadline. One that does not even
// return, because a disk hangs, is left behind: this process ends soon.
func (s *collection) collect(parent context.Context, parts []part) []bundled {
	results := make([][]bundled, len(parts))
	var work sync.WaitGroup
	for i, p := range parts {
		work.Go(func() { results[i] = attempt(parent, p) })
	}
	work.Wait()
	var files []bundled
	total := 0
	for _, result := range results {
		for _, f := range result {
			if !f.opaque {
				f.content = s.masked(f.content)
			}
			if len(f.content) > largestPart || total+len(f.content) > largestBundle {
				f = bundled{name: f.name + missingSuffix,
					content: fmt.Appendf(nil, "%s has %d bytes, which is more than fits in a bundle.\n", f.name, len(f.content))}
			}
			total += len(f.content)
			files = append(files, f)
		}
	}
	return files
}

func attempt(parent context.Context, p part) []bundled {
	ctx, cancel := context.WithTimeout(parent, partDeadline)
	defer cancel()
	type end struct {
		files []bundled
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		files, err := p.collect(ctx)
		ended <- end{files, err}
	}()
	grace := time.NewTimer(partDeadline + time.Second)
	defer grace.Stop()
	select {
	case e := <-ended:
		if e.err == nil {
			return e.files
		}
		return append(e.files, missing(p.name, e.err))
	case <-grace.C:
		return []bundled{missing(p.name, fmt.Errorf("it did not end within %s", partDeadline))}
	}
}

func missing(name string, err error) bundled {
	return bundled{name: name + missingSuffix, content: []byte(command.Describe(err) + "\n")}
}

// packed writes the files as a compressed archive, in one folder.
func packed(files []bundled, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	compressor := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressor)
	folder := "clusterd-support-" + at.UTC().Format("20060102T150405Z")
	for _, f := range files {
		header := &tar.Header{Name: folder + "/" + f.name, Mode: 0o600, Size: int64(len(f.content)), ModTime: at}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write %s into the bundle: %w", f.name, err)
		}
		if _, err := archive.Write(f.content); err != nil {
			return nil, fmt.Errorf("write %s into the bundle: %w", f.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("end the bundle: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return nil, fmt.Errorf("end the bundle: %w", err)
	}
	return out.Bytes(), nil
}

// remember notes secrets that must not be in the bundle. Each part leaves them out
// by its own making; this is the second net, for sentences that quote one.
func (s *collection) remember(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		// A shorter one would be found in every word, and guessed as fast as read.
		if len(secret) < 4 || secret == recorder.Blank || secret == rewrite.Mask {
			continue
		}
		s.secrets = append(s.secrets, secret)
		if quoted, err := json.Marshal(secret); err == nil {
			s.secrets = append(s.secrets, strings.Trim(string(quoted), `"`))
		}
	}
}

func (s *collection) rememberState(state *cluster.State) {
	s.remember(base64.StdEncoding.EncodeToString(state.Secrets.AuthorityKey))
	for _, device := range state.Document.Devices {
		s.remember(device.Password.Reveal())
	}
	for _, id := range state.Tokens.Keys() {
		token, _ := state.Tokens.Get(id)
		s.remember(token.Hash)
	}
}

// rememberKeys reads this node's own keys, line by line: a key that is quoted
// somewhere need not be quoted whole.
func (s *collection) rememberKeys(folder string) {
	for _, name := range []string{"node.key", "node.key.next", "node.key.old", "page.key"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			continue // No key here, so there is nothing to leave out.
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				s.remember(line)
			}
		}
	}
}

func (s *collection) masked(content []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
		content = bytes.ReplaceAll(content, []byte(secret), []byte(recorder.Blank))
	}
	return content
}
