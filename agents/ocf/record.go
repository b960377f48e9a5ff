package ocf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// stage is how far the last act on a service came.
type stage string

const (
	starting stage = "starting"
	started  stage = "started"
	stopping stage = "stopping"
)

// partState is what is known of one resource.
type partState string

const (
	// up: started, and its last check was good.
	up partState = "up"
	// uncertain: its start began or failed, its stop failed, or a check failed.
	uncertain partState = "uncertain"
	// down: proven stopped and left down; the service goes on without it.
	down partState = "down"
)

// part is one resource of a service as it was started. A resource without a
// part is not there.
type part struct {
	State partState `json:"state"`
	Why   string    `json:"why,omitempty"`
	// Lacked tells that its start said that it could not even begin.
	Lacked bool `json:"lacked,omitempty"`
	// Restarts and Failures are the instants that the limits count.
	Restarts []time.Time `json:"restarts,omitempty"`
	Failures []time.Time `json:"failures,omitempty"`
}

// openCall is a program that was begun and is not known to have ended.
type openCall struct {
	Action string        `json:"action"`
	Path   string        `json:"path"`
	Mark   string        `json:"mark"`
	Group  program.Group `json:"group"`
}

// alive reports whether the program can still do something. One whose number was
// no longer written down is looked for by its mark.
func (c openCall) alive() bool {
	if c.Group.PID == 0 {
		return program.Marked(markName + "=" + c.Mark)
	}
	return c.Group.Alive()
}

// markName is the variable that names the call to which a process belongs.
const markName = "CLUSTERD_CALL"

// record is what is known of a service that was started here on this boot.
type record struct {
	Boot       string               `json:"boot"`
	Service    string               `json:"service"`
	UUID       string               `json:"uuid"`
	Definition string               `json:"definition"`
	Stage      stage                `json:"stage"`
	Tree       []resources.Resource `json:"tree"`
	Disks      []resources.Disk     `json:"disks,omitempty"`
	// Parts are by the resource's path in the tree.
	Parts map[string]part `json:"parts"`
	Calls []openCall      `json:"calls,omitempty"`
	// Mends counts the restarts of subtrees in place since the start.
	Mends int `json:"mends,omitempty"`
}

// place returns a resource of the tree by its path.
func (r *record) place(path string) (resources.Placed, bool) {
	for _, p := range resources.StartOrder(r.Tree) {
		if p.Path == path {
			return p, true
		}
	}
	return resources.Placed{}, false
}

// left lists the resources that may be there, in the order of their stop.
func (r *record) left() []resources.Placed {
	var list []resources.Placed
	for _, p := range resources.StopOrder(r.Tree) {
		if part, there := r.Parts[p.Path]; there && part.State != down {
			list = append(list, p)
		}
	}
	return list
}

// partial lists, by their labels, the resources that were left down.
func (r *record) partial() []string {
	var labels []string
	for _, p := range resources.StartOrder(r.Tree) {
		if r.Parts[p.Path].State == down {
			labels = append(labels, p.Resource.Label())
		}
	}
	return labels
}

// broken is the first resource that is uncertain, and why.
func (r *record) broken() (string, bool) {
	for _, p := range resources.StartOrder(r.Tree) {
		if part := r.Parts[p.Path]; part.State == uncertain {
			return joinWords(p.Resource.Label(), part.Why), true
		}
	}
	return "", false
}

func joinWords(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// set changes one part.
func (r *record) set(path string, state partState, why string) {
	p := r.Parts[path]
	p.State, p.Why, p.Lacked = state, why, false
	r.Parts[path] = p
}

// records keeps records as files. They need not survive a power cut, because a
// boot ends what they tell of.
type records struct {
	folder, boot string
}

// load reads the records of this boot and removes older ones.
func (f records) load() ([]*record, error) {
	if err := os.MkdirAll(f.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the services' records: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(f.folder, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the services' records: %w", err)
	}
	var list []*record
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the record of a service: %w", err)
		}
		r := &record{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("read the record of a service: %s: %w; what runs here is not known: look for its "+
				"resources by hand, then remove the file", name, err)
		}
		if r.Boot != f.boot || r.UUID != strings.TrimSuffix(filepath.Base(name), ".json") {
			if err := os.Remove(name); err != nil {
				return nil, fmt.Errorf("remove the record of an earlier boot: %w", err)
			}
			continue
		}
		list = append(list, r)
	}
	return list, nil
}

func (f records) path(uuid string) string { return filepath.Join(f.folder, uuid+".json") }

// store replaces a record whole.
func (f records) store(r *record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the record of %s: %w", r.Service, err)
	}
	fresh := f.path(r.UUID) + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return fmt.Errorf("write the record of %s: %w", r.Service, err)
	}
	if err := os.Rename(fresh, f.path(r.UUID)); err != nil {
		return fmt.Errorf("write the record of %s: %w", r.Service, err)
	}
	return nil
}

func (f records) remove(uuid string) error {
	if err := os.Remove(f.path(uuid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the record of a service: %w", err)
	}
	return nil
}
