package membership

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/pki"
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
func Found(node nodefile.Node, name string) error {
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
func firstSecrets(node nodefile.Node, ca *pki.CA, data pki.DataKey) (cluster.Secrets, error) {
	key, err := pki.LoadOrCreateNodeKey(node.DataDir)
	if err != nil {
		return cluster.Secrets{}, err
	}
	wrapped, err := data.WrapFor(key.PublicKey(), ca.ClusterID)
	if err != nil {
		return cluster.Secrets{}, err
	}
	return cluster.Secrets{
		Authority: string(ca.CertPEM), AuthorityKey: data.Seal(SealedAuthority, ca.KeyPEM),
		Epoch: 1, Wraps: map[string][]byte{node.Name: wrapped},
	}, nil
}

// beginCluster makes this node the founder of a log with the given authority.
func beginCluster(node nodefile.Node, ca *pki.CA, first cluster.Init) error {
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
	chain, err := ca.SignNode(request, node.Name, append(HostsOf(address), node.Addresses...), time.Now(),
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
	if err := folder.Write(FoundingFile, founding); err != nil {
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
// exactly one authority, proves itself once, and receives its certificate. version is that of this
// build, which the others are told.
func JoinCluster(ctx context.Context, node nodefile.Node, version, text string) (Membership, error) {
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
	request, err := JoinRequest(node, version, token, key)
	if err != nil {
		return Membership{}, err
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return pki.DialJoin(ctx, token, pki.ProtocolAPI)
		}}
	var reply api.JoinReply
	if err := api.Exchange(ctx, transport, http.MethodPost, api.PathJoin, request, &reply); err != nil {
		return Membership{}, fmt.Errorf("join the cluster: %w", err)
	}
	identity, err := pki.NewIdentity(key, []byte(reply.Certificate))
	if err != nil {
		return Membership{}, fmt.Errorf("join the cluster: the certificate cannot be used: %w", err)
	}
	m := Membership{Cluster: reply.Cluster, ID: reply.ClusterID, Node: node.Name, Members: reply.Members}
	if err := folder.Write(KeysFile, SavedKeys{NodeKeys: reply.Keys, Cluster: reply.ClusterID}); err != nil {
		return Membership{}, err
	}
	return m, folder.SaveMembership(m, identity)
}

// JoinRequest is what a node sends to be let into a cluster.
func JoinRequest(node nodefile.Node, version string, token pki.Token, key *pki.NodeKey) (api.JoinRequest, error) {
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
		Address: address, Addresses: node.Addresses, HardwareUUID: hardware, Version: version, Level: cluster.CurrentLevel,
		Witness: node.Witness,
	}, nil
}
