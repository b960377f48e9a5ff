package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/tunnel"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The machines: node1 and node2 stay, node3 is removed, and its disk is the attacker's.
const (
	victim  = "node1"
	removed = "node3"
)

// site is the cluster under attack.
type site struct {
	*stage.Cluster
	world *stage.Simulated
	tools string
	// crowded is the cluster of the attacks by crowds, once one was begun.
	crowded *town
	// uncrowded is why there is none, where it could not be built.
	uncrowded error

	attacks, held, leftOut int
	// worst is the longest failover under an attack as a multiple of the one without; 0 while none
	// was measured. An attack that measures one raises it by measured.
	worst float64
	// members are the nodes that are expected to answer.
	members []string
	// stolen is the folder with what the removed node's disk held, from before its removal.
	stolen string
	// disk is the identity on it.
	disk *pki.Identity
	// holding is a connection that the removed node had open when it was removed.
	holding map[string]net.Conn
	// forwarder serves the port of live moves of the victim.
	forwarder *forwarding
	// leaked is a good join token that the attacker has.
	leaked pki.Token
}

func newSite(ctx context.Context, tools string) (*site, error) {
	tools, err := filepath.Abs(tools)
	if err != nil {
		return nil, err
	}
	world, err := stage.NewSimulated(tools)
	if err != nil {
		return nil, err
	}
	s := &site{world: world, tools: tools, members: world.Nodes(), holding: map[string]net.Conn{}}
	s.Cluster = &stage.Cluster{World: world, Plan: stage.Plan{
		Cluster:  "fortress",
		Domains:  []string{"first: {ordered: true, restricted: true, members: {node1: 1, node2: 2}}"},
		Services: []stage.Service{{Guest: lab.Guest{Name: "web", Number: 71}, Domain: "first"}},
	}}
	if err := s.prepare(ctx); err != nil {
		s.showLogs()
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// prepare founds the cluster, takes a copy of node3's disk and removes node3 while it has
// connections open.
func (s *site) prepare(ctx context.Context) error {
	if err := s.Found(ctx); err != nil {
		return err
	}
	if err := s.Apply(ctx); err != nil {
		return err
	}
	if _, err := s.Wait(ctx, "vm:web runs", func(status api.Status) bool {
		return slices.ContainsFunc(status.Services, func(one api.Service) bool {
			return one.Name == "vm:web" && one.StateText == "started"
		})
	}); err != nil {
		return err
	}
	var err error
	if s.stolen, err = os.MkdirTemp("", "clusterd-stolen-"); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(s.stolen, "data"), os.DirFS(s.world.DataFolder(removed))); err != nil {
		return fmt.Errorf("copy the disk of %s: %w", removed, err)
	}
	for _, file := range []string{"node.key", "node.crt"} {
		if err := os.Chmod(filepath.Join(s.stolen, "data", file), 0o600); err != nil {
			return err
		}
	}
	if s.disk, err = pki.LoadIdentity(filepath.Join(s.stolen, "data")); err != nil {
		return err
	}
	for _, protocol := range []string{protocolQuorum, protocolAPI} {
		conn, err := s.reach(ctx, s.disk, victim, protocol)
		if err != nil {
			return fmt.Errorf("%s is a member and gets no connection: %w", removed, err)
		}
		s.holding[protocol] = conn
	}
	if err := s.forward(ctx); err != nil {
		return fmt.Errorf("serve the port of live moves: %w", err)
	}
	if s.holding[tunnel.Protocol], err = s.intoTunnel(ctx, s.disk); err != nil {
		return fmt.Errorf("%s is a member and gets no connection for live moves: %w", removed, err)
	}
	if output, err := s.Command(ctx, victim, "clusterd", "node", "remove", removed).CombinedOutput(); err != nil {
		return fmt.Errorf("remove %s: %w: %s", removed, err, output)
	}
	s.members = []string{"node1", "node2"}
	return errors.Join(s.tellForwarder(ctx, nil), s.StopDaemon(ctx, removed))
}

// The protocols of a node's port.
const (
	protocolQuorum = "clusterd-quorum"
	protocolAPI    = "clusterd-api"
)

func (s *site) close() error {
	for _, conn := range s.holding {
		conn.Close()
	}
	problem := s.forwarder.close()
	if s.crowded != nil {
		problem = errors.Join(problem, s.crowded.world.Close())
	}
	return errors.Join(problem, s.world.Close(), os.RemoveAll(s.stolen))
}

// What is sealed in the log: the data key, to each member, and with it the authority's key.
var (
	sealedShare     = regexp.MustCompile(`"[a-z0-9]+":"([A-Za-z0-9+/]{100,}={0,2})"`)
	sealedAuthority = regexp.MustCompile(`"authorityKey":"([A-Za-z0-9+/]+={0,2})"`)
)

// errNoAuthority says that the authority's key is not found on the stolen disk. It lies there: the
// disk was a member's. So the attack is not held, it was not tried.
var errNoAuthority = fmt.Errorf("the authority's key is not found on the stolen disk: %w", errUntried)

// authority opens the authority's key with what is on the stolen disk: the node's own key lies
// there, and the data key as it was sealed to it while it was a member.
func (s *site) authority() (*pki.CA, error) {
	chain := string(s.disk.ChainPEM())
	certificate := chain[strings.LastIndex(chain, "-----BEGIN"):]
	var shares, sealed [][]byte
	err := filepath.WalkDir(filepath.Join(s.stolen, "data"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		shares = append(shares, found(sealedShare, text)...)
		sealed = append(sealed, found(sealedAuthority, text)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, share := range shares {
		data, err := s.disk.Key.Unwrap(s.disk.ClusterID, share)
		if err != nil {
			continue
		}
		for _, secret := range sealed {
			key, err := data.Open("the authority's key", secret)
			if err != nil {
				continue
			}
			if ca, err := pki.LoadCA([]byte(certificate), key); err == nil {
				return ca, nil
			}
		}
	}
	return nil, errNoAuthority
}

// found decodes what a pattern finds.
func found(pattern *regexp.Regexp, text []byte) [][]byte {
	var all [][]byte
	for _, match := range pattern.FindAllSubmatch(text, -1) {
		if decoded, err := base64.StdEncoding.DecodeString(string(match[1])); err == nil {
			all = append(all, decoded)
		}
	}
	return all
}

// forge signs a certificate with the stolen authority's key: of a node, or of an administrator.
func (s *site) forge(name string, admin bool) (*pki.Identity, error) {
	ca, err := s.authority()
	if err != nil {
		return nil, err
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		return nil, err
	}
	var chain []byte
	if admin {
		chain, err = ca.SignClient(request, name, pki.RoleAdmin, time.Now(), time.Hour)
	} else {
		chain, err = ca.SignNode(request, name, nil, time.Now(), time.Hour)
	}
	if err != nil {
		return nil, err
	}
	return pki.NewIdentity(key, chain)
}

// friendly is an attacker's own end: it believes in whoever answers.
var friendly = pki.Trust{Standing: func(pki.Peer) pki.Standing { return pki.Standing{Kind: pki.StandingMember} }}

// address is where a node's port for the others is.
func (s *site) address(node string) string {
	for line := range strings.SplitSeq(s.world.NodeSettings(node), "\n") {
		if port, is := strings.CutPrefix(line, "port: "); is {
			return net.JoinHostPort("127.0.0."+strings.TrimPrefix(node, "node"), port)
		}
	}
	return ""
}

// reach connects to a node's port with an identity.
func (s *site) reach(ctx context.Context, identity *pki.Identity, node, protocol string) (net.Conn, error) {
	return pki.Dial(ctx, pki.NewStore(identity, friendly), s.address(node), node, protocol, pki.ChannelRaft)
}

// stillDecides proves that the cluster goes on deciding: each member answers by its log.
func (s *site) stillDecides(ctx context.Context) error {
	for _, node := range s.members {
		if _, err := s.Wait(ctx, node+" decides", func(api.Status) bool {
			client, err := s.Client(node)
			if err != nil {
				return false
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			status, err := client.Status(ctx, true)
			return err == nil && status.Leader != ""
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) showLogs() {
	for _, node := range s.Nodes() {
		fmt.Printf("--- the end of the log of %s\n%s\n", node, s.LogTail(node, 40))
	}
}
