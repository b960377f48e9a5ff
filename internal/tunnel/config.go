package tunnel

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"time"
)

// Protocol is the ALPN word of the tunnel.
const Protocol = "clusterd-tunnel"

// Security makes and accepts the connections between nodes. Its certificates
// are read anew by whoever implements it: a forwarder can outlive one.
type Security interface {
	// Dial connects to the named node at an address, mutually authenticated.
	Dial(ctx context.Context, node, address string) (net.Conn, error)
	// Listen accepts connections of verified nodes of this cluster, and of
	// nobody else: not of joiners, not of command-line clients. If set, refused is told of each that
	// is sent away, and why; it does not block.
	Listen(ctx context.Context, address string, refused func(remote string, reason error)) (net.Listener, error)
	// Admit says whether such a connection may carry a stream of that kind for
	// an act: nil, or why not, which is ErrNotExpected when no open migration
	// asks for it. It is asked again while the stream is open.
	Admit(remote net.Conn, kind, act string, dialed bool) error
	// Guest is the libvirt UUID of what such an act moves; empty where it is not known, and then
	// no call of any guest passes.
	Guest(act string) string
}

// Config of a forwarder. The daemon and the forwarder get the same.
type Config struct {
	// Dir holds the sockets; the same path on every node, on a tmpfs, short
	// (a UNIX socket's path has at most 107 bytes).
	Dir string
	// Listen is the TCP address of the target's side.
	Listen string
	// LibvirtSocket is the local libvirtd's; empty means libvirt's own choice.
	LibvirtSocket string
	// DataUID and DataGID own the directory of the data sockets: the user that
	// QEMU runs as, who makes one on the target and opens one on the source.
	DataUID, DataGID int
	// Security is required by RunForwarder only.
	Security Security
	Logger   *slog.Logger
	// Refused, if set, is told by the daemon's Client of whom the forwarder sent away. It must not
	// block.
	Refused func(Refusal)

	// Limits; zero takes the default.
	MaxStreams int
	MaxRoutes  int
	// LogBytes is how long forward.log may grow before it begins anew.
	LogBytes int
	// IdleStream closes a stream on which nothing flowed.
	IdleStream time.Duration
	// IdleProcess ends a forwarder without daemon and streams.
	IdleProcess time.Duration
	// Drain is how long streams may go on after a SIGTERM. Those of a forwarder that was retired go
	// on until they end.
	Drain time.Duration
	// DataWait is how long the target's QEMU may take to open its socket.
	DataWait time.Duration
	// IntentWait is how long the migration may take to appear in this node's
	// log: the other end may have read it a moment earlier.
	IntentWait time.Duration
	// TargetWait is how long the target's forwarder may take to listen: that of a node which has
	// just booted comes up a moment after its daemon.
	TargetWait time.Duration
	// AfterAct is how long the streams of a guest that is just arriving may go on after its
	// migration has ended in the log. Others are cut at once.
	AfterAct time.Duration
	// KeepOld is how long the daemon puts off to retire a forwarder of an older version that always
	// carries something.
	KeepOld time.Duration
	// Deaf is how long new streams are taken without a daemon, which is what
	// tells the forwarder who was removed.
	Deaf time.Duration
}

func (c Config) withDefaults() Config {
	setInt := func(value *int, fallback int) {
		if *value == 0 {
			*value = fallback
		}
	}
	set := func(value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
	}
	setInt(&c.MaxStreams, 256)
	setInt(&c.MaxRoutes, 64)
	setInt(&c.LogBytes, 1<<20)
	set(&c.IdleStream, 5*time.Minute)
	set(&c.IdleProcess, 10*time.Minute)
	set(&c.Drain, 80*time.Second) // Below systemd's 90 s.
	set(&c.DataWait, 5*time.Second)
	set(&c.IntentWait, 5*time.Second)
	set(&c.TargetWait, 3*time.Second)
	set(&c.AfterAct, 10*time.Minute)
	set(&c.KeepOld, 24*time.Hour)
	set(&c.Deaf, 15*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) controlPath() string        { return filepath.Join(c.Dir, "control.sock") }
func (c Config) lockPath() string           { return filepath.Join(c.Dir, "forward.lock") }
func (c Config) logPath() string            { return filepath.Join(c.Dir, "forward.log") }
func (c Config) apiDir() string             { return filepath.Join(c.Dir, "api") }
func (c Config) dataDir() string            { return filepath.Join(c.Dir, "data") }
func (c Config) apiPath(act string) string  { return filepath.Join(c.apiDir(), act+".sock") }
func (c Config) dataPath(act string) string { return filepath.Join(c.dataDir(), act+".sock") }

// An act becomes part of a path, and comes over the network.
var actPattern = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,39}$`)

func checkAct(act string) error {
	if !actPattern.MatchString(act) {
		return fmt.Errorf("%q is not the name of an act", act)
	}
	return nil
}
