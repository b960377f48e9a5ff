package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

// Connections on the socket. Root's are counted apart from everybody else's, so that no crowd of
// users can keep an administrator out.
const (
	rootConnections  = 256
	userConnections  = 64
	connectionsOfUID = 16
	// How often a user may connect: on average a second, and at once.
	connectsRate  = 20
	connectsBurst = 60
)

// crowd is the tools' socket: it knows who connects, and bounds how many may.
type crowd struct {
	net.Listener
	others pki.Role
	log    *slog.Logger

	mu    sync.Mutex
	rooms map[bool]*limits.Pot[*localConn]
	pace  limits.Pace
}

// localConn is a connection on the socket.
type localConn struct {
	*net.UnixConn
	crowd *crowd
	who   Caller
}

// listenLocally opens the socket for root and for the group, if there is one of that name; nobody
// else can connect.
func listenLocally(path, group string, others pki.Role, log *slog.Logger) (*crowd, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the tools' socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the tools: %w", err)
	}
	if err := admitGroup(path, group); err != nil {
		return nil, errors.Join(fmt.Errorf("set who may use the tools' socket: %w", err), listener.Close())
	}
	return &crowd{Listener: listener, others: others, log: log, rooms: socketRooms(), pace: socketPace()}, nil
}

func socketRooms() map[bool]*limits.Pot[*localConn] {
	return map[bool]*limits.Pot[*localConn]{
		true: {Most: rootConnections, Each: rootConnections}, false: {Most: userConnections, Each: connectionsOfUID},
	}
}

func socketPace() limits.Pace {
	return limits.Pace{Rate: connectsRate, Burst: connectsBurst, Holders: 1024, Most: time.Second}
}

// admitGroup gives the socket to a group. A group that is not there admits nobody.
func admitGroup(path, group string) error {
	// Nobody is let in before it is known who; a socket is born with the mode that the umask leaves.
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	known, err := user.LookupGroup(group)
	if err != nil {
		return nil
	}
	gid, err := strconv.Atoi(known.Gid)
	if err == nil {
		err = os.Chown(path, -1, gid)
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	accepted, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	plain, is := accepted.(*net.UnixConn)
	if !is {
		return nil, fmt.Errorf("%T on the tools' socket", accepted)
	}
	conn := &localConn{UnixConn: plain, crowd: c, who: localCaller(plain, c.others)}
	c.place(conn)
	return conn, nil
}

// place gives a connection one of the places that its caller's kind has. Where there is none, or it
// comes too soon after others, it is closed: the server sees it end at its first read.
func (c *crowd) place(conn *localConn) {
	if !conn.who.Reserved && c.pace.Wait(conn.who.Holder, time.Now()) > 0 {
		_ = conn.UnixConn.Close()
		return
	}
	c.mu.Lock()
	pushed, room := c.rooms[conn.who.Reserved].Enter(conn.who.Holder, conn)
	c.mu.Unlock()
	if pushed != nil {
		_ = (*pushed).UnixConn.Close()
	}
	if !room {
		_ = conn.UnixConn.Close()
	}
}

// Close implements net.Conn. It may be called several times.
func (c *localConn) Close() error {
	c.crowd.mu.Lock()
	c.crowd.rooms[c.who.Reserved].Leave(c.who.Holder, c)
	c.crowd.mu.Unlock()
	return c.UnixConn.Close()
}
