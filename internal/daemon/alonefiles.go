package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"

	clustermind "github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/quorum"
)

// seenFile lies in the run folder, which a boot empties: when this node was last in quorum, by the
// host's uptime.
const seenFile = "quorum-seen"

// same compares warrants as they lie on disk: one that was read has no empty maps
// where the State may have some.
func same(a, b cluster.Warrant) bool {
	one, failed := json.Marshal(a)
	other, failedToo := json.Marshal(b)
	return failed == nil && failedToo == nil && bytes.Equal(one, other)
}

// uptime is how long this host has been up. All time counts, also that in which
// it was suspended: the turns of the two-node rule must not shift.
func (d *Daemon) uptime() time.Duration {
	if d.options.Uptime != nil {
		return d.options.Uptime()
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		d.fatal("this host does not tell how long it has been up: " + err.Error())
		return 0
	}
	return time.Duration(now.Nano())
}

func (d *Daemon) seenPath() string { return filepath.Join(d.options.Node.RunDir, seenFile) }

// keepSeenQuorum is not synced: it has to outlive the daemon, not the boot.
func (d *Daemon) keepSeenQuorum(at time.Duration) error {
	path := d.seenPath()
	if err := os.WriteFile(path+".new", []byte(d.boot+" "+strconv.FormatInt(int64(at), 10)), 0o600); err != nil {
		return fmt.Errorf("keep when this node was last in quorum: %w", err)
	}
	return os.Rename(path+".new", path)
}

// lastSeenQuorum is what an earlier start of the daemon kept on this boot.
func (d *Daemon) lastSeenQuorum() (time.Duration, bool) {
	text, err := os.ReadFile(d.seenPath())
	if err != nil {
		return 0, false
	}
	boot, number, _ := strings.Cut(string(text), " ")
	at, err := strconv.ParseInt(number, 10, 64)
	return time.Duration(at), err == nil && boot == d.boot
}

// inQuorum reports whether this node leads, or has just heard whoever does.
func (d *Daemon) inQuorum() bool {
	role := d.role.Load()
	if role.leading {
		return true
	}
	if role.leader == "" || role.leader == d.name {
		return false
	}
	r := d.log.Role()
	return r.Leader != "" && !r.LastContact.IsZero() && time.Since(r.LastContact) < d.profile().Heartbeat
}

func (d *Daemon) aloneStanding(root *cluster.State) cluster.Standing {
	at := cluster.Standing{Self: d.name, Boot: d.boot, Incarnation: d.incarnation.Load()}
	voters := 0
	for _, m := range d.log.Members() {
		if m.Voter && root.Nodes.Has(m.ID) {
			voters++
		}
	}
	at.BothVote = voters == 2
	for node, beat := range d.pulse.Heard() {
		if node != d.name {
			at.PeerApplied = max(at.PeerApplied, beat.Applied)
		}
	}
	return at
}

// takeLogOver carries out, before the log is opened, what a start of the daemon
// before this one had decided: to go on alone, or to begin with an empty log.
func (d *Daemon) takeLogOver() error {
	if err := d.returning.SetLogAside(); err != nil {
		return err
	}
	if err := d.book.Find(); err != nil || d.book.Lost() != nil {
		return err
	}
	folder := d.options.Folder
	parting, err := membership.ReadOptional[cluster.Parting](folder, membership.PartingFile)
	if err != nil || parting == nil {
		return err
	}
	if parting.Result == nil {
		return nil // keepAlone goes on with it, or gives it up
	}
	position, err := quorum.Inspect(d.options.Folder.LogDir())
	if err != nil {
		return fmt.Errorf("look into the log before going on alone: %w", err)
	}
	alone := len(position.Members) == 1 && position.Members[0].ID == d.name
	recovery, err := membership.ReadOptional[membership.Recovery](folder, membership.RecoveryFile)
	switch {
	case err != nil:
		return err
	case alone && recovery != nil:
		return nil // only the log has to learn of it
	case alone, parting.Warrant.Boot != d.boot:
		// It was done, or it was not and this host has booted since: then it waits.
		return folder.Remove(membership.PartingFile)
	case position.LastIndex != parting.Through:
		d.logger.Warn("this node does not go on alone: its log went on after it was decided", "decided at", parting.Through,
			"now at", position.LastIndex)
		return folder.Remove(membership.PartingFile)
	}
	if err := folder.Write(membership.RecoveryFile, membership.Recovery{Dead: []string{parting.Warrant.Peer.Node},
		Generation: parting.Warrant.Generation + 1, Parting: parting}); err != nil {
		return err
	}
	return quorum.Recover(d.options.Folder.LogDir(), quorum.Member{ID: d.name, Address: d.address}, nil)
}

// watchOther keeps the stopwatch on the other of two nodes where keepAlone finds
// it.
func (d *Daemon) watchOther(mind *clustermind.Node, root *cluster.State) {
	if root.Nodes.Len() != 2 {
		d.contact.Store(nil)
		return
	}
	for _, name := range root.Nodes.Keys() {
		if name != d.name {
			contact := mind.Contact(name)
			d.contact.Store(&contact)
		}
	}
}

// logWire is what the log is opened on. One whose node has decided to go on alone
// is shut: it reaches nobody, and nobody reaches it, from the first moment on. So is that of a node
// which does not hold what it acknowledged.
func (d *Daemon) logWire() (*quorum.Wire, error) {
	parting, err := membership.ReadOptional[cluster.Parting](d.options.Folder, membership.PartingFile)
	if d.book.Lost() == nil && (err != nil || parting == nil || parting.Result != nil) {
		return d.wire, err
	}
	d.shutWire = quorum.NewWire(&nobody{closed: make(chan struct{})}, d.logger)
	d.onClose("the log's shut wire", d.shutWire.Close)
	return d.shutWire, nil
}

// nobody is a network without anybody in it.
type nobody struct {
	once   sync.Once
	closed chan struct{}
}

// Accept waits for the end.
func (n *nobody) Accept() (net.Conn, error) {
	<-n.closed
	return nil, net.ErrClosed
}

// Close ends it.
func (n *nobody) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr is nowhere.
func (n *nobody) Addr() net.Addr { return &net.TCPAddr{} }

// Dial reaches nobody.
func (n *nobody) Dial(context.Context, string) (net.Conn, error) {
	return nil, errors.New("the log is shut: this node goes on alone, or has lost its log")
}
