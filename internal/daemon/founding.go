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
	"strings"
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
		return fmt.Errorf("this node is already %s of cluster %s; empty %s first if that is over, and keep node.key "+
			"if the cluster is being restored", m.Node, m.Cluster, folder)
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
	chain, err := ca.SignNode(request, node.Name, append(hostsOf(address), node.Addresses...), time.Now(),
		pki.NodeValidity)
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
	transport := &http.Transport{DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
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
		TokenID: token.ID, Secret: base64.RawURLEncoding.EncodeToString(token.Secret()), Node: node.Name,
		Request: string(request),
		Address: address, Addresses: node.Addresses, HardwareUUID: hardware, Version: Version, Level: cluster.CurrentLevel,
		Witness: node.Witness,
	}, nil
}

// Backup is what the daemon gives `clusterd backup`: the State, whose secrets are sealed, and the
// key that opens them. They are written to two files.
type Backup struct {
	cluster.State
	DataKey []byte `json:"dataKey"`
}

// BackupKey is where the key of a backup lies unless it was taken elsewhere.
func BackupKey(path string) string { return path + ".key" }

// WriteBackup writes a backup and its key to two files, so that they can be kept apart.
func WriteBackup(content []byte, path, keyPath string) error {
	var kept Backup
	if err := json.Unmarshal(content, &kept); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	state, err := json.Marshal(kept.State)
	if err != nil {
		return err
	}
	if err := pki.WriteSecret(keyPath, []byte(base64.StdEncoding.EncodeToString(kept.DataKey)+"\n")); err != nil {
		return err
	}
	return pki.WriteSecret(path, state)
}

// backupKey finds the key that opens a backup: in its file, or in the State itself, where the node
// on which it is restored was a member and still has its node.key.
func backupKey(node config.Node, state *cluster.State, path, keyPath string) (pki.DataKey, error) {
	if keyPath == "" {
		keyPath = BackupKey(path)
	}
	content, err := os.ReadFile(keyPath)
	if err == nil {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
		if err != nil {
			return pki.DataKey{}, fmt.Errorf("%s is no key of a backup: %w", keyPath, err)
		}
		return pki.DataKeyOf(key)
	}
	own, ownErr := pki.LoadOrCreateNodeKey(node.DataDir)
	if ownErr != nil {
		return pki.DataKey{}, ownErr
	}
	former, ownErr := pki.FormerKey(node.DataDir)
	if ownErr != nil {
		return pki.DataKey{}, ownErr
	}
	for _, name := range sortedNames(state.Secrets.Wraps) {
		for _, mine := range []*pki.NodeKey{own, former} {
			if mine == nil {
				continue
			}
			if key, err := mine.Unwrap(state.ID, state.Secrets.Wraps[name]); err == nil {
				return key, nil
			}
		}
	}
	return pki.DataKey{}, fmt.Errorf("nothing here opens %s: neither its key file (%w) nor a node.key or "+
		"node.key.old of a member in %s, which may have been rotated since the backup was made; name the key "+
		"file with --key", path, err, node.DataDir)
}

// largestBackup bounds what is read of a backup.
const largestBackup = 256 << 20

// RestoreFrom makes this node the founder of a cluster that goes on from a
// backup, with the same authority, so that tools and certificates stay good.
func RestoreFrom(node config.Node, path, keyPath, by string) error {
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
	var state cluster.State
	if err := json.Unmarshal(content, &state); err != nil || state.ID == "" {
		return fmt.Errorf("%s is no backup of a cluster (%v)", path, err)
	}
	if why := cluster.Unknown(&state); why != "" {
		return fmt.Errorf("%s: %s", path, why)
	}
	data, err := backupKey(node, &state, path, keyPath)
	if err != nil {
		return err
	}
	ca, err := openAuthority(state.Secrets, data)
	if next := state.Secrets.Next; next != nil && next.Signing {
		ca, err = openNext(next, data) // members have its certificates
	}
	if err != nil {
		return fmt.Errorf("%s, which is of another key than the one found: %w", path, err)
	}
	epoch, sealed := state.Secrets.Epoch, state.Secrets.Sealed
	if state.Secrets, err = firstSecrets(node, ca, data); err != nil {
		return err
	}
	state.Secrets.Epoch, state.Secrets.Sealed = epoch, sealed
	state.Secrets.Wanted = "the cluster was restored from a backup"
	if content, err = json.Marshal(state); err != nil {
		return err
	}
	if err := folder.write("restore.json", cluster.Restore{State: content, By: by, Node: node.Name}); err != nil {
		return err
	}
	return beginCluster(node, ca, cluster.Init{Cluster: state.Cluster, ID: state.ID, Secrets: state.Secrets,
		Level: cluster.CurrentLevel})
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
