package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// On the way down systemd stops at once whatever is not ordered. A unit that is a resource must
// wait for the hand-over, which stops it in its turn: what ends by itself looks like a failure, and
// its order among the other resources is lost. So a unit that is started gets an order, for this
// boot.
const (
	daemonUnit   = "clusterd.service"
	handoverUnit = "clusterd-handover.service"
	dropInName   = "50-clusterd.conf"
	dropInText   = "# Written by clusterd, which starts and stops this unit as a resource.\n" +
		"# A shutdown of this host must leave it alone until the hand-over is done.\n" +
		"[Unit]\nBefore=" + daemonUnit + " " + handoverUnit + "\n"
	// orderLimit bounds the ordering: the start has a limit of its own, and comes after.
	orderLimit = 5 * time.Second
)

// order puts a unit before the hand-over, unless it is there. A unit that cannot be ordered is as
// good as any other until the host shuts down.
func (m *Manager) order(ctx context.Context, unit string) error {
	if m.dropIns == "" || strings.Contains(unit, "/") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	conn, err := m.connected(ctx)
	if err != nil {
		return err
	}
	property, err := conn.GetUnitPropertyContext(ctx, unit, "Before")
	if err != nil {
		return answerError(err)
	}
	before, _ := property.Value.Value().([]string)
	if slices.Contains(before, handoverUnit) {
		return nil
	}
	if state, err := m.State(ctx, unit); err != nil || state.Load != "loaded" {
		return err
	}
	folder := filepath.Join(m.dropIns, unit+".d")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("order %s before the hand-over: %w", unit, err)
	}
	path := filepath.Join(folder, dropInName)
	if err := os.WriteFile(path, []byte(dropInText), 0o644); err != nil {
		return fmt.Errorf("order %s before the hand-over: %w", unit, err)
	}
	// The daemon's umask keeps all it writes to itself; systemd complains about such settings.
	if err := errors.Join(os.Chmod(folder, 0o755), os.Chmod(path, 0o644)); err != nil {
		return fmt.Errorf("order %s before the hand-over: %w", unit, err)
	}
	if err := conn.ReloadContext(ctx); err != nil {
		return answerError(err)
	}
	return nil
}

// stopMode is how a unit's stop is asked for. While the hand-over stops, systemd would have the
// stop wait for it, which waits for the stop. Where the hand-over is off, or was over before its
// work was, the daemon's own stop is queued behind libvirt-guests for minutes: the daemon still
// serves, and a stop that it asks for would wait for its own end. A start of the daemon that is
// under way holds no stop up, so that one keeps its dependencies.
func (m *Manager) stopMode(ctx context.Context) string {
	if m.dropIns == "" {
		return "replace"
	}
	if state, err := m.State(ctx, handoverUnit); err == nil && state.Job != 0 {
		return "ignore-dependencies"
	}
	if state, err := m.State(ctx, daemonUnit); err == nil && state.ends() {
		return "ignore-dependencies"
	}
	return "replace"
}

// ends reports whether a unit that runs has a job, which is one that ends this run of it.
func (s State) ends() bool { return s.Job != 0 && (s.Active == "active" || s.Active == "deactivating") }
