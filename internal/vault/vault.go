package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
)

// Log is the replicated log, and the State that follows from it.
type Log interface {
	// Root is the newest State of this node. It never changes.
	Root() *cluster.State
	// Propose puts commands into the log, and returns for each why it was refused.
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
}

// Options are what a vault stands on. All are required.
type Options struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Own is the private key of this node that a State records.
	Own func(root *cluster.State) *pki.NodeKey
	// Drivers are the fence drivers by the word of the document.
	Drivers  map[string]fence.Driver
	Warnings *warnings.Book
}

// Vault opens and seals what only a holder of the data key may. It keeps that key at hand: opening
// it is dear, and it is asked for again and again.
type Vault struct {
	Options
	mu      sync.Mutex
	wrapped []byte
	key     pki.DataKey
}

// New makes a vault. Nothing is opened before it is asked for.
func New(options Options) *Vault { return &Vault{Options: options} }

var errNoDataKey = errors.New("this node was not given the cluster's data key yet; try again in a moment")

// DataKey is the data key of a State, as it is sealed to the key of this node that the State
// records.
func (v *Vault) DataKey(root *cluster.State) (pki.DataKey, error) {
	wrapped := root.Secrets.Wraps[v.Node]
	if len(wrapped) == 0 {
		return pki.DataKey{}, errNoDataKey
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if bytes.Equal(v.wrapped, wrapped) {
		return v.key, nil
	}
	key, err := v.Own(root).Unwrap(root.ID, wrapped)
	if err != nil {
		return pki.DataKey{}, fmt.Errorf("the cluster's data key, as it was given to this node: %w", err)
	}
	v.wrapped, v.key = wrapped, key
	return key, nil
}

// Authority opens the cluster's CA.
func (v *Vault) Authority(root *cluster.State) (*pki.CA, error) {
	if root.Secrets.Authority == "" {
		return nil, errors.New("this node does not hold the cluster's state yet; try again in a moment")
	}
	key, err := v.DataKey(root)
	if err != nil {
		return nil, err
	}
	if next := root.Secrets.Next; next != nil && next.Signing {
		return membership.OpenNext(next, key)
	}
	return membership.OpenAuthority(root.Secrets, key)
}

// renewLimit bounds one change of the data key that is due.
const renewLimit = 5 * time.Second

// rekeyTries is how often a change of the data key is tried that others overtake.
const rekeyTries = 5

// Rekey brings a new data key into force: every member is given it, and nobody else.
func (v *Vault) Rekey(ctx context.Context, by string, why message.Text) error {
	var last error
	for range rekeyTries {
		command, err := v.newDataKey(v.Log.Root(), by, why)
		if err != nil {
			return err
		}
		refused, err := v.Log.Propose(ctx, command)
		if err != nil {
			return err
		}
		if last = cluster.Refusal(refused); last == nil {
			return nil
		}
	}
	return last
}

func (v *Vault) newDataKey(root *cluster.State, by string, why message.Text) (cluster.Rekey, error) {
	old, err := v.DataKey(root)
	if err != nil {
		return cluster.Rekey{}, err
	}
	ca, err := membership.OpenAuthority(root.Secrets, old)
	if err != nil {
		return cluster.Rekey{}, err
	}
	fresh := pki.NewDataKey()
	command := cluster.Rekey{
		Epoch: root.Secrets.Epoch, Wraps: map[string][]byte{},
		AuthorityKey: fresh.Seal(membership.SealedAuthority, ca.KeyPEM),
		By:           by, Why: why,
	}
	if next := root.Secrets.Next; next != nil {
		nextCA, err := membership.OpenNext(next, old)
		if err != nil {
			return cluster.Rekey{}, err
		}
		command.NextKey = fresh.Seal(membership.SealedAuthority, nextCA.KeyPEM)
	}
	if command.Sealed, err = sealedAnew(root.Secrets, old, fresh); err != nil {
		return cluster.Rekey{}, err
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		if len(n.Key) == 0 {
			continue
		}
		if command.Wraps[name], err = fresh.WrapFor(n.Key, root.ID); err != nil {
			return cluster.Rekey{}, fmt.Errorf("give %s the data key: %w", name, err)
		}
	}
	return command, nil
}

// Renew changes the data key when somebody has gone who knew it, or somebody came. The
// leader does it, so that not all do.
func (v *Vault) Renew(ctx context.Context) {
	why := v.Log.Root().RekeyWanted()
	if why.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	err := v.Rekey(ctx, "", why)
	if err != nil && !errors.Is(err, quorum.ErrNotLeader) {
		v.Logger.Warn("the data key is due to be changed and was not", "why", why.String(), "error", err)
	}
	v.Warnings.SetError("data key", err)
}

// RotateAuthority begins a rotation of the cluster's authority.
func (v *Vault) RotateAuthority(ctx context.Context, by, why string) error {
	root := v.Log.Root()
	key, err := v.DataKey(root)
	if err != nil {
		return err
	}
	ca, err := pki.NewCA(root.Cluster, root.ID, time.Now())
	if err != nil {
		return err
	}
	refused, err := v.Log.Propose(ctx, cluster.RotateAuthority{
		Certificate: string(ca.CertPEM), Key: key.Seal(membership.SealedAuthority, ca.KeyPEM), Epoch: root.Secrets.Epoch,
		By: by, Why: why,
	})
	if err != nil {
		return err
	}
	if err := cluster.Refusal(refused); err != nil {
		return server.Refuse(http.StatusConflict, "refused", "%v", err)
	}
	return nil
}
