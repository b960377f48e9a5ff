package daemon

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

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
