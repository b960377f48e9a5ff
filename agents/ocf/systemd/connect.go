package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	unitbus "github.com/coreos/go-systemd/v22/dbus"
	bus "github.com/godbus/dbus/v5"
)

// Manager is a systemd. Its connection is made when it is first needed, and
// anew when it was lost.
type Manager struct {
	addresses []address
	// dropIns is the folder of the settings of units for this boot; empty without it.
	dropIns string
	// turn is held by who makes the connection.
	turn chan struct{}
	conn *connection
}

// connection ends with breakOff, also when it is half made.
type connection struct {
	*unitbus.Conn
	breakOff context.CancelFunc
}

// address is a socket, and whether a bus daemon answers there.
type address struct {
	path string
	bus  bool
}

// systemBus is where the system's bus daemon listens.
const systemBus = "/run/dbus/system_bus_socket"

// New speaks to the systemd whose sockets are in this folder: /run/systemd for
// the one of the host.
func New(folder string) *Manager {
	list := []address{{path: filepath.Join(folder, "private")}}
	if folder == "/run/systemd" {
		list = append(list, address{path: systemBus, bus: true})
	}
	return &Manager{addresses: list, dropIns: dropInsOf(folder), turn: make(chan struct{}, 1)}
}

// dropInsOf is where the host's systemd looks for settings that last until the next boot.
func dropInsOf(folder string) string {
	if folder != "/run/systemd" {
		return ""
	}
	return filepath.Join(folder, "system")
}

// Close ends the connection; jobs go on.
func (m *Manager) Close() {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	m.drop()
}

func (m *Manager) drop() {
	if m.conn != nil {
		m.conn.Close()
		m.conn.breakOff()
		m.conn = nil
	}
}

// ErrNoAnswer says that systemd could not be asked, or what became of the question is
// not known.
var ErrNoAnswer = errors.New("systemd does not answer")

// connected is the connection there is, or a new one.
func (m *Manager) connected(ctx context.Context) (*unitbus.Conn, error) {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
	}
	defer func() { <-m.turn }()
	if m.conn != nil && m.conn.Connected() {
		return m.conn.Conn, nil
	}
	m.drop()
	var failures []error
	for _, a := range m.addresses {
		conn, err := connect(ctx, a)
		if err == nil {
			m.conn = conn
			return conn.Conn, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", a.path, err))
	}
	return nil, fmt.Errorf("%w: %w", ErrNoAnswer, errors.Join(failures...))
}

// connect makes a connection within the time of ctx. The connection lives on
// after that; one that is not there in time is broken off.
func connect(ctx context.Context, a address) (*connection, error) {
	life, breakOff := context.WithCancel(context.Background())
	type answer struct {
		conn *unitbus.Conn
		err  error
	}
	made := make(chan answer, 1)
	go func() {
		conn, err := unitbus.NewConnection(func() (*bus.Conn, error) { return a.dial(life) })
		if err == nil {
			if err = conn.Subscribe(); err != nil {
				conn.Close()
			}
		}
		made <- answer{conn, err}
	}()
	select {
	case a := <-made:
		if a.err != nil {
			breakOff()
			return nil, a.err
		}
		return &connection{Conn: a.conn, breakOff: breakOff}, nil
	case <-ctx.Done():
		breakOff() // closes what is half made
		return nil, context.Cause(ctx)
	}
}

func (a address) dial(life context.Context) (*bus.Conn, error) {
	conn, err := bus.Dial("unix:path="+bus.EscapeBusAddressValue(a.path), bus.WithContext(life))
	if err != nil {
		return nil, err
	}
	err = conn.Auth([]bus.Auth{bus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil && a.bus {
		err = conn.Hello()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
