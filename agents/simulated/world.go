package simulated

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// ErrPoweredOff is returned by every question to a node without power.
var ErrPoweredOff = errors.New("the simulated node has no power")

// maxVMs bounds the VMs of one simulated node.
const maxVMs = 1024

// machine is one simulated VM on one node.
type machine struct {
	UUID      string           `json:"uuid"`
	Title     string           `json:"title"`
	Service   string           `json:"service"`
	Condition agents.Condition `json:"condition"`
	Reason    string           `json:"reason,omitempty"`
	// Instance names one life of the guest; a migration keeps it.
	Instance string `json:"instance"`
	// StartedAt is when the guest began to run; its ticks count from there.
	StartedAt time.Time        `json:"startedAt"`
	Disks     []resources.Disk `json:"disks,omitempty"`
	// StopsAt is when a guest that was asked to shut down will have ended.
	StopsAt time.Time `json:"stopsAt"`
	// Move is the migration under way, at the source.
	Move *move `json:"move,omitempty"`
}

type move struct {
	Target    string    `json:"target"`
	BeganAt   time.Time `json:"beganAt"`
	ArrivesAt time.Time `json:"arrivesAt"`
}

// world is the shared directory. Its methods that end in Locked need the lock.
type world struct{ dir string }

var nodePattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)

func (w world) nodeDir(node string) string { return filepath.Join(w.dir, "nodes", node) }
func (w world) vmPath(node, uuid string) string {
	return filepath.Join(w.nodeDir(node), "vms", uuid+".json")
}
func (w world) bootPath(node string) string { return filepath.Join(w.nodeDir(node), "boot_id") }
func (w world) offPath(node string) string  { return filepath.Join(w.nodeDir(node), "off") }
func (w world) recordPath() string          { return filepath.Join(w.dir, "runs.jsonl") }

// locked runs one change of the world; the world first catches up with now.
func (w world) locked(change func(now time.Time) error) error {
	if err := os.MkdirAll(filepath.Join(w.dir, "nodes"), 0o700); err != nil {
		return fmt.Errorf("open the simulated world: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(w.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the simulated world: %w", err)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the simulated world: %w", err)
	}
	now := time.Now()
	if err := w.catchUpLocked(now); err != nil {
		return err
	}
	return change(now)
}

// addNodeLocked makes a node with a boot id, once.
func (w world) addNodeLocked(node string) error {
	if !nodePattern.MatchString(node) {
		return fmt.Errorf("%q is not the name of a node", node)
	}
	if err := os.MkdirAll(filepath.Join(w.nodeDir(node), "vms"), 0o700); err != nil {
		return fmt.Errorf("make simulated node %s: %w", node, err)
	}
	if _, err := os.Stat(w.bootPath(node)); err == nil {
		return nil
	}
	return w.newBootLocked(node)
}

func (w world) newBootLocked(node string) error {
	id := random(16)
	text := fmt.Sprintf("%s-%s-%s-%s-%s\n", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
	if err := renameio.WriteFile(w.bootPath(node), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the boot id of simulated node %s: %w", node, err)
	}
	return nil
}

func random(size int) string {
	text := make([]byte, size)
	_, _ = rand.Read(text) // It never fails: it would end the program first.
	return hex.EncodeToString(text)
}

func (w world) poweredLocked(node string) bool {
	_, err := os.Stat(w.offPath(node))
	return errors.Is(err, os.ErrNotExist)
}

func (w world) nodesLocked() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(w.dir, "nodes"))
	if err != nil {
		return nil, fmt.Errorf("list the simulated nodes: %w", err)
	}
	var nodes []string
	for _, entry := range entries {
		nodes = append(nodes, entry.Name())
	}
	return nodes, nil
}

// readLocked returns nil when the node has no such VM.
func (w world) readLocked(node, uuid string) (*machine, error) {
	text, err := os.ReadFile(w.vmPath(node, uuid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a simulated VM: %w", err)
	}
	var vm machine
	if err := json.Unmarshal(text, &vm); err != nil {
		return nil, fmt.Errorf("read a simulated VM: %s: %w", w.vmPath(node, uuid), err)
	}
	return &vm, nil
}

func (w world) listLocked(node string) ([]*machine, error) {
	files, err := filepath.Glob(filepath.Join(w.nodeDir(node), "vms", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the simulated VMs of %s: %w", node, err)
	}
	sort.Strings(files)
	var list []*machine
	for _, file := range files {
		vm, err := w.readLocked(node, strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			return nil, err
		}
		if vm != nil {
			list = append(list, vm)
		}
	}
	return list, nil
}

// writeLocked stores a VM and records when it begins or stops to execute.
func (w world) writeLocked(node string, vm machine, now time.Time) error {
	before, err := w.readLocked(node, vm.UUID)
	if err != nil {
		return err
	}
	if before == nil {
		if list, err := w.listLocked(node); err != nil || len(list) >= maxVMs {
			return fmt.Errorf("simulated node %s holds %d VMs already: %w", node, len(list), errors.Join(err))
		}
	}
	text, err := json.MarshalIndent(vm, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(w.vmPath(node, vm.UUID), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write a simulated VM: %w", err)
	}
	was, is := before != nil && executes(*before), executes(vm)
	switch {
	case is && !was:
		return w.recordLocked(run{At: now, Node: node, UUID: vm.UUID, Service: vm.Service, Instance: vm.Instance,
			What: began})
	case was && !is:
		return w.recordLocked(run{At: now, Node: node, UUID: vm.UUID, Service: vm.Service, Instance: vm.Instance,
			What: ended})
	}
	return nil
}

func executes(vm machine) bool {
	return vm.Condition == agents.Running || vm.Condition == agents.ShuttingDown
}

func (w world) removeLocked(node string, vm machine, now time.Time) error {
	if err := os.Remove(w.vmPath(node, vm.UUID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a simulated VM: %w", err)
	}
	if !executes(vm) {
		return nil
	}
	return w.recordLocked(run{At: now, Node: node, UUID: vm.UUID, Service: vm.Service, Instance: vm.Instance, What: ended})
}

// catchUpLocked lets happen what is due: guests that were asked to stop have
// stopped, migrations have arrived.
func (w world) catchUpLocked(now time.Time) error {
	nodes, err := w.nodesLocked()
	if err != nil {
		return err
	}
	for _, node := range nodes {
		list, err := w.listLocked(node)
		if err != nil {
			return err
		}
		for _, vm := range list {
			if err := w.dueLocked(node, *vm, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w world) dueLocked(node string, vm machine, now time.Time) error {
	if !vm.StopsAt.IsZero() && !now.Before(vm.StopsAt) {
		return w.removeLocked(node, vm, now)
	}
	if vm.Move == nil || now.Before(vm.Move.ArrivesAt) {
		return nil
	}
	target := vm.Move.Target
	vm.Move, vm.Reason = nil, ""
	copyThere, err := w.readLocked(target, vm.UUID)
	if err != nil {
		return err
	}
	if copyThere == nil || !w.poweredLocked(target) {
		return w.writeLocked(node, vm, now) // The target is lost: the guest runs on here.
	}
	if err := w.removeLocked(node, vm, now); err != nil {
		return err
	}
	vm.Condition, vm.Reason = agents.Paused, "user" // As libvirt's target comes up: its executor resumes it.
	return w.writeLocked(target, vm, now)
}

// bootID reads without the lock: the file is replaced whole.
func (w world) bootID(node string) (string, error) {
	text, err := os.ReadFile(w.bootPath(node))
	if err != nil {
		return "", fmt.Errorf("read the boot id of simulated node %s: %w", node, err)
	}
	return string(bytes.TrimSpace(text)), nil
}
