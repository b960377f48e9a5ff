package daemon

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// joinTimeout bounds a join as a whole.
const joinTimeout = 30 * time.Second

// requireNoCluster refuses to overwrite a membership.
func requireNoCluster(folder Folder) error {
	m, err := folder.Membership()
	switch {
	case err == nil:
		return fmt.Errorf("this node is already %s of cluster %s; empty %s first if that is over", m.Node, m.Cluster, folder)
	case errors.Is(err, ErrNoCluster):
		return nil
	}
	return err
}

// Found makes this node the first of a new cluster: authority, key, data key,
// and the first commands, which the daemon puts into the log.
func Found(node config.Node, name string) error {
	folder := Folder(node.DataDir)
	if err := requireNoCluster(folder); err != nil {
		return err
	}
	if _, err := config.Parse("cluster", []byte("cluster: "+name+"\n"), nil, nil); err != nil {
		return fmt.Errorf("%q is no name for a cluster: %w", name, err)
	}
	ca, err := pki.NewCA(name, newClusterID(), time.Now())
	if err != nil {
		return err
	}
	secrets, err := firstSecrets(node, ca, pki.NewDataKey())
	if err != nil {
		return err
	}
	first := cluster.Init{Cluster: name, ID: ca.ClusterID, Secrets: secrets, Level: cluster.CurrentLevel}
	return beginCluster(node, ca, first)
}

// firstSecrets are those of a cluster whose only member is this node.
func firstSecrets(node config.Node, ca *pki.CA, data pki.DataKey) (cluster.Secrets, error) {
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		return cluster.Secrets{}, err
	}
	wrapped, err := data.WrapFor(key.PublicKey(), ca.ClusterID)
	if err != nil {
		return cluster.Secrets{}, err
	}
	return cluster.Secrets{
		Authority: string(ca.CertPEM), AuthorityKey: data.Seal(sealedAuthority, ca.KeyPEM),
		Epoch: 1, Wraps: map[string][]byte{node.Name: wrapped},
	}, nil
}

// beginCluster makes this node the founder of a log with the given authority.
func beginCluster(node config.Node, ca *pki.CA, first cluster.Init) error {
	folder := Folder(node.DataDir)
	address, err := Advertised(node)
	if err != nil {
		return err
	}
	hardware, err := HardwareUUID(node)
	if err != nil {
		return err
	}
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		return err
	}
	request, err := pki.NewRequest(key, node.Name)
	if err != nil {
		return err
	}
	chain, err := ca.SignNode(request, node.Name, append(hostsOf(address), node.Addresses...), time.Now(), pki.NodeValidity)
	if err != nil {
		return err
	}
	identity, err := pki.NewIdentity(key, chain)
	if err != nil {
		return err
	}
	join := cluster.Join{Node: node.Name, Fingerprint: key.Fingerprint(), Key: key.PublicKey(), HardwareUUID: hardware,
		Address: address, Witness: node.Witness, By: "init"}
	founding := Founding{Init: first, Join: join}
	if err := folder.write("founding.json", founding); err != nil {
		return err
	}
	m := Membership{Cluster: first.Cluster, ID: first.ID, Node: node.Name, Founder: true}
	return folder.SaveMembership(m, identity)
}

func newClusterID() string {
	var id [16]byte
	rand.Read(id[:]) // It never fails: crypto/rand ends the process instead.
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// JoinCluster gets this node a place in a cluster: with the token it trusts
// exactly one authority, proves itself once, and receives its certificate.
func JoinCluster(ctx context.Context, node config.Node, text string) (Membership, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	folder := Folder(node.DataDir)
	if err := requireNoCluster(folder); err != nil {
		return Membership{}, err
	}
	token, err := pki.ParseToken(text)
	if err != nil {
		return Membership{}, err
	}
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		return Membership{}, err
	}
	request, err := joinRequest(node, token, key)
	if err != nil {
		return Membership{}, err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return pki.DialJoin(ctx, token, protocolAPI)
	}}
	var reply api.JoinReply
	if err := exchange(ctx, transport, http.MethodPost, api.PathJoin, request, &reply); err != nil {
		return Membership{}, fmt.Errorf("join the cluster: %w", err)
	}
	identity, err := pki.NewIdentity(key, []byte(reply.Certificate))
	if err != nil {
		return Membership{}, fmt.Errorf("join the cluster: the certificate cannot be used: %w", err)
	}
	m := Membership{Cluster: reply.Cluster, ID: reply.ClusterID, Node: node.Name, Members: reply.Members}
	if err := folder.write(keysFile, savedKeys{NodeKeys: reply.Keys, Cluster: reply.ClusterID}); err != nil {
		return Membership{}, err
	}
	return m, folder.SaveMembership(m, identity)
}

func joinRequest(node config.Node, token pki.Token, key *pki.NodeKey) (api.JoinRequest, error) {
	address, err := Advertised(node)
	if err != nil {
		return api.JoinRequest{}, err
	}
	hardware, err := HardwareUUID(node)
	if err != nil {
		return api.JoinRequest{}, err
	}
	request, err := pki.NewRequest(key, node.Name)
	if err != nil {
		return api.JoinRequest{}, err
	}
	return api.JoinRequest{
		TokenID: token.ID, Secret: base64.RawURLEncoding.EncodeToString(token.Secret()), Node: node.Name, Request: string(request),
		Address: address, Addresses: node.Addresses, HardwareUUID: hardware, Version: Version, Level: cluster.CurrentLevel, Witness: node.Witness,
	}, nil
}

// Backup is what `clusterd backup` writes: the State, and the key that opens its secrets. So it is
// worth as much as a member's disk.
type Backup struct {
	cluster.State
	DataKey []byte `json:"dataKey"`
}

// largestBackup bounds what is read of a backup.
const largestBackup = 256 << 20

// RestoreFrom makes this node the founder of a cluster that goes on from a
// backup, with the same authority, so that tools and certificates stay good.
func RestoreFrom(node config.Node, path, by string) error {
	folder := Folder(node.DataDir)
	if err := requireNoCluster(folder); err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.Size() > largestBackup {
		return fmt.Errorf("%s is larger than a backup can be (%d bytes)", path, largestBackup)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var kept Backup
	if err := json.Unmarshal(content, &kept); err != nil || kept.ID == "" {
		return fmt.Errorf("%s is no backup of a cluster (%v)", path, err)
	}
	state := kept.State
	if why := cluster.Unknown(&state); why != "" {
		return fmt.Errorf("%s: %s", path, why)
	}
	data, err := pki.DataKeyOf(kept.DataKey)
	if err != nil {
		return fmt.Errorf("%s does not hold the key that opens it: %w", path, err)
	}
	ca, err := openAuthority(state.Secrets, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	epoch := state.Secrets.Epoch
	if state.Secrets, err = firstSecrets(node, ca, data); err != nil {
		return err
	}
	state.Secrets.Epoch, state.Secrets.Wanted = epoch, "the cluster was restored from a backup"
	if content, err = json.Marshal(state); err != nil { // without the data key: this goes into the log
		return err
	}
	if err := folder.write("restore.json", cluster.Restore{State: content, By: by, Node: node.Name}); err != nil {
		return err
	}
	return beginCluster(node, ca, cluster.Init{Cluster: state.Cluster, ID: state.ID, Secrets: state.Secrets, Level: cluster.CurrentLevel})
}

// RecoverLog makes the log of this node usable without the dead nodes. It
// returns the names that remain.
func RecoverLog(node config.Node, dead []string, by string) ([]string, error) {
	folder := Folder(node.DataDir)
	if _, err := folder.Membership(); err != nil {
		return nil, err
	}
	position, err := quorum.Inspect(folder.LogDir())
	if err != nil {
		return nil, fmt.Errorf("look into the log (is the daemon stopped?): %w", err)
	}
	var self quorum.Member
	var survivors []quorum.Member
	var names []string
	unknown := slices.Clone(dead)
	for _, m := range position.Members {
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == m.ID })
		switch {
		case slices.Contains(dead, m.ID):
			continue
		case m.ID == node.Name:
			self = m
		default:
			survivors = append(survivors, m)
		}
		names = append(names, m.ID)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s is no member of the log; nothing was changed", unknown[0])
	}
	if self.ID == "" {
		return nil, fmt.Errorf("this node, %s, is named dead or is no member of the log", node.Name)
	}
	// What the two-node rule had decided is over: a person decides now.
	for _, file := range []string{partingFile, warrantFile, rejoinFile} {
		if err := folder.remove(file); err != nil {
			return nil, err
		}
	}
	// Intent before effect: the daemon carries recovery.json out once it leads.
	if err := folder.write(recoveryFile, Recovery{Dead: dead, By: by, Through: position.LastIndex}); err != nil {
		return nil, err
	}
	if err := quorum.Recover(folder.LogDir(), self, survivors); err != nil {
		return nil, errors.Join(err, ignoreMissing(folder.remove(recoveryFile)))
	}
	return names, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
