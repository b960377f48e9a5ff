package simulated

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/clusterd/clusterd/agents"
)

// BootIDPath is the file that stands for the node's /proc boot id.
func BootIDPath(dir, node string) string { return world{dir}.bootPath(node) }

// AddNode makes a simulated node, powered on. Doing it again changes nothing.
func AddNode(dir, node string) error {
	w := world{dir}
	return w.locked(func(time.Time) error { return w.addNodeLocked(node) })
}

// PowerCut takes a simulated node's power: its VMs are gone at once, and its
// next boot has another boot id. The daemon is a real process and is the
// caller's to kill, before this.
func PowerCut(dir, node string) error {
	w := world{dir}
	return w.locked(func(now time.Time) error {
		if err := w.addNodeLocked(node); err != nil {
			return err
		}
		list, err := w.listLocked(node)
		if err != nil {
			return err
		}
		for _, vm := range list {
			if err := w.dropIncomingLocked(*vm, now); err != nil {
				return err
			}
			if err := w.removeLocked(node, *vm, now); err != nil {
				return err
			}
		}
		if err := os.WriteFile(w.offPath(node), nil, 0o600); err != nil {
			return fmt.Errorf("cut the power of simulated node %s: %w", node, err)
		}
		return w.newBootLocked(node)
	})
}

// dropIncomingLocked removes the receiving half of a VM whose source is lost,
// as libvirt does.
func (w world) dropIncomingLocked(vm machine, now time.Time) error {
	if vm.Move == nil {
		return nil
	}
	half, err := w.readLocked(vm.Move.Target, vm.UUID)
	if err != nil || half == nil || half.Condition != agents.Incoming {
		return err
	}
	return w.removeLocked(vm.Move.Target, *half, now)
}

// PowerOn gives the power back.
func PowerOn(dir, node string) error {
	w := world{dir}
	return w.locked(func(time.Time) error {
		if err := os.Remove(w.offPath(node)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("power simulated node %s on: %w", node, err)
		}
		return nil
	})
}

// Powered reports whether a simulated node has power.
func Powered(dir, node string) (on bool, err error) {
	w := world{dir}
	err = w.locked(func(time.Time) error {
		if _, err := os.Stat(w.nodeDir(node)); err != nil {
			return fmt.Errorf("simulated node %s: %w", node, err)
		}
		on = w.poweredLocked(node)
		return nil
	})
	return on, err
}
