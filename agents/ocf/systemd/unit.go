package systemd

import (
	"context"
	"errors"
	"fmt"
	"time"

	unitbus "github.com/coreos/go-systemd/v22/dbus"
	bus "github.com/godbus/dbus/v5"
)

// State is what systemd says of a unit.
type State struct {
	// Load, Active and Sub are systemd's words: loaded or not-found; active,
	// inactive, failed, activating, deactivating; and the finer one of the unit's kind.
	Load, Active, Sub string
	// Result tells how a service ended; it is empty for other units.
	Result string
	// Job is the job that the unit waits for or is in, 0 without one.
	Job uint32
}

// ErrRefused says that systemd answered and made no job. The unit is what it was.
var ErrRefused = errors.New("systemd refuses")

// Start starts a unit and waits for the end of that job; result is systemd's
// word for it: done, failed, timeout, dependency, canceled, skipped.
func (m *Manager) Start(ctx context.Context, unit string) (result string, err error) {
	_ = m.order(ctx, unit) // without it the unit runs as well
	return m.job(ctx, func(conn *unitbus.Conn, ended chan<- string) error {
		_, err := conn.StartUnitContext(ctx, unit, "replace", ended)
		return err
	})
}

// Stop stops a unit, in place of any job that it has.
func (m *Manager) Stop(ctx context.Context, unit string) (result string, err error) {
	mode := m.stopMode(ctx)
	return m.job(ctx, func(conn *unitbus.Conn, ended chan<- string) error {
		_, err := conn.StopUnitContext(ctx, unit, mode, ended)
		return err
	})
}

// lossWatch is how often a wait for a job looks whether systemd is still there:
// the end of a job is told once, to those who are connected.
const lossWatch = time.Second

// job asks for one and waits for its end. The library waits for its own lock
// without a limit, so it is asked aside.
func (m *Manager) job(ctx context.Context, ask func(*unitbus.Conn, chan<- string) error) (string, error) {
	conn, err := m.connected(ctx)
	if err != nil {
		return "", err
	}
	ended := make(chan string, 1) // the library waits until it is taken
	asked := make(chan error, 1)
	go func() { asked <- ask(conn, ended) }()
	watch := time.NewTicker(lossWatch)
	defer watch.Stop()
	for {
		select {
		case err := <-asked:
			if err != nil {
				return "", answerError(err)
			}
			asked = nil
		case result := <-ended:
			return result, nil
		case <-watch.C:
			if !conn.Connected() {
				return "", fmt.Errorf("%w: the connection was lost while it worked", ErrNoAnswer)
			}
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
		}
	}
}

// answerError tells an error that systemd answered with from want of an answer.
func answerError(err error) error {
	var said bus.Error
	if errors.As(err, &said) {
		return fmt.Errorf("%w: %s", ErrRefused, said.Error())
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// State asks what a unit is. One that is not there has Load not-found.
func (m *Manager) State(ctx context.Context, unit string) (State, error) {
	conn, err := m.connected(ctx)
	if err != nil {
		return State{}, err
	}
	properties, err := conn.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return State{}, answerError(err)
	}
	s := State{}
	var whole [4]bool
	s.Load, whole[0] = properties["LoadState"].(string)
	s.Active, whole[1] = properties["ActiveState"].(string)
	s.Sub, whole[2] = properties["SubState"].(string)
	s.Job, whole[3] = jobNumber(properties["Job"])
	if whole != [4]bool{true, true, true, true} {
		return State{}, fmt.Errorf("%w: it tells no state of %s", ErrNoAnswer, unit)
	}
	if s.Active == "failed" {
		if result, err := conn.GetServicePropertyContext(ctx, unit, "Result"); err == nil {
			s.Result, _ = result.Value.Value().(string)
		}
	}
	return s, nil
}

// jobNumber reads the property Job: a number and an object.
func jobNumber(value any) (uint32, bool) {
	pair, is := value.([]any)
	if !is || len(pair) != 2 {
		return 0, false
	}
	number, is := pair[0].(uint32)
	return number, is
}
