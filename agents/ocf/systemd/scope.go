package systemd

import (
	"context"
	"fmt"

	unitbus "github.com/coreos/go-systemd/v22/dbus"
	bus "github.com/godbus/dbus/v5"
)

// scopeSlice is where scopes are made.
const scopeSlice = "system.slice"

// Scope makes a scope around one process. It lasts as long as anything lives in
// it. When the host shuts down it is ended only after the daemon that keeps watch
// over it: else what is ended in it would look like a failure.
func (m *Manager) Scope(ctx context.Context, name, description string, process int) error {
	properties := []unitbus.Property{
		unitbus.PropDescription(description),
		unitbus.PropSlice(scopeSlice),
		unitbus.PropPids(uint32(process)),
		unitbus.PropBefore("clusterd.service", "clusterd-handover.service"),
		{Name: "Delegate", Value: bus.MakeVariant(true)},
		// Nobody resets a scope that has failed, and a new one could not have its name.
		{Name: "CollectMode", Value: bus.MakeVariant("inactive-or-failed")},
	}
	result, err := m.job(ctx, func(conn *unitbus.Conn, ended chan<- string) error {
		_, err := conn.StartTransientUnitContext(ctx, name, "fail", properties, ended)
		return err
	})
	if err != nil {
		return fmt.Errorf("make the scope %s: %w", name, err)
	}
	if result != "done" {
		return fmt.Errorf("make the scope %s: the job ended as %q", name, result)
	}
	return nil
}
