package agent

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// metadataLimit bounds the question for metadata.
	metadataLimit = 10 * time.Second
	// largestMetadata bounds the answer; the longest of Debian's has 30 KiB.
	largestMetadata = 256 << 10
	// maxLibrary bounds how many agents are remembered.
	maxLibrary = 128
	maxNames   = 400
)

var errMetadata = errors.New(
	"it does not tell its parameters (action metadata), so it is no fence agent that can be used")

// metadata is what an agent says of itself.
type metadata struct {
	Parameters []parameter `xml:"parameters>parameter"`
	Actions    []struct {
		Name      string `xml:"name,attr"`
		Automatic string `xml:"automatic,attr"`
	} `xml:"actions>action"`
}

type parameter struct {
	Name       string `xml:"name,attr"`
	Required   string `xml:"required,attr"`
	Deprecated string `xml:"deprecated,attr"`
	Content    struct {
		Type    string  `xml:"type,attr"`
		Default *string `xml:"default,attr"`
		Choices []struct {
			Value string `xml:"value,attr"`
		} `xml:"option"`
	} `xml:"content"`
}

func parseMetadata(text []byte) (*metadata, error) {
	var m metadata
	if err := xml.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%w: what it wrote is not the expected XML", errMetadata)
	}
	if len(m.Actions) == 0 || len(m.Parameters) == 0 || len(m.Parameters) > maxNames || len(m.Actions) > maxNames {
		return nil, fmt.Errorf("%w: %d parameters and %d actions", errMetadata, len(m.Parameters), len(m.Actions))
	}
	for i := range m.Parameters {
		m.Parameters[i].Name = normal(m.Parameters[i].Name)
	}
	return &m, nil
}

// normal writes a parameter's name the one way; the protocol takes both.
func normal(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

func (m *metadata) parameter(name string) (parameter, bool) {
	i := slices.IndexFunc(m.Parameters, func(p parameter) bool { return p.Name == name })
	if i < 0 {
		return parameter{}, false
	}
	return m.Parameters[i], true
}

func (m *metadata) names() []string {
	var names []string
	for _, p := range m.Parameters {
		names = append(names, p.Name)
	}
	return names
}

// usable tells why an agent cannot prove that a machine is off.
func (m *metadata) usable() error {
	offered := map[string]bool{}
	for _, action := range m.Actions {
		offered[action.Name] = true
		if action.Name == "on" && action.Automatic == "1" {
			return errors.New("it cuts the machine off storage or network and leaves it running, so its word is no proof " +
				"that the VMs there have stopped; use an agent that switches power")
		}
	}
	for _, needed := range []string{actionOff, actionStatus} {
		if !offered[needed] {
			return fmt.Errorf("it has no action %s, without which nothing is proven; use an agent that switches power", needed)
		}
	}
	return nil
}

// library remembers the metadata of agents. Asking costs a third of a second
// of Python, which a failover need not wait for.
type library struct {
	runner *runner
	mu     sync.Mutex
	known  map[string]*entry
}

type entry struct {
	metadata *metadata
	size     int64
	changed  time.Time
}

// of returns an agent's metadata. Two callers may ask at the same time; none
// waits for another one's agent.
func (l *library) of(ctx context.Context, path string) (*metadata, error) {
	file, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l.mu.Lock()
	found := l.known[path]
	l.mu.Unlock()
	if found != nil && found.size == file.Size() && found.changed.Equal(file.ModTime()) {
		return found.metadata, nil
	}
	outcome := l.runner.run(ctx, command{path: path, input: "action=metadata\n", limit: metadataLimit,
		largest: largestMetadata, question: true})
	if !outcome.ended(exitDone) {
		return nil, fmt.Errorf("%w: %s", errMetadata, outcome)
	}
	if outcome.clipped {
		return nil, fmt.Errorf("%w: it wrote more than %d bytes", errMetadata, largestMetadata)
	}
	// Only standard output: Python writes warnings to the other one.
	told, err := parseMetadata(outcome.stdout)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLibrary {
		l.known = map[string]*entry{}
	}
	l.known[path] = &entry{metadata: told, size: file.Size(), changed: file.ModTime()}
	return told, nil
}
