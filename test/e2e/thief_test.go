package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/test/lab"
)

// channels are the ports of a node that a key could open, with their protocols.
var channels = map[string]int{"clusterd-quorum": 7440, "clusterd-api": 7440, "clusterd-tunnel": 7441}

// thief has what lay in a folder: a node's data folder, or a client's.
type thief struct {
	lab         *lab.Lab
	folder      string
	certificate tls.Certificate
}

// steal copies a folder, and loads the identity in it.
func steal(t *testing.T, l *lab.Lab, folder, certificate, key string) thief {
	t.Helper()
	s := thief{lab: l, folder: filepath.Join(t.TempDir(), "stolen")}
	if err := os.CopyFS(s.folder, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.folder, certificate), 0o600); err != nil { // a copy has the mode of its maker
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.folder, key), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	s.certificate, err = tls.LoadX509KeyPair(filepath.Join(s.folder, certificate), filepath.Join(s.folder, key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reach connects as the thief; the sentence is what the node says to him, and the connection nil
// unless he is let in.
func (s thief) reach(host *lab.Host, protocol string) (net.Conn, string) {
	raw, err := s.lab.DialInHub(fmt.Sprintf("%s:%d", host.Address(lab.Management), channels[protocol]), 5*time.Second)
	if err != nil {
		return nil, err.Error()
	}
	raw.SetDeadline(time.Now().Add(5 * time.Second))
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		Certificates: []tls.Certificate{s.certificate}, InsecureSkipVerify: true})
	var header [3]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		raw.Close()
		return nil, err.Error()
	}
	sentence := make([]byte, binary.BigEndian.Uint16(header[1:]))
	if _, err := io.ReadFull(conn, sentence); err != nil || header[0] != 0 {
		raw.Close()
		return nil, string(sentence)
	}
	raw.SetDeadline(time.Time{})
	return conn, "welcome"
}

// refusedWith wants every channel of the nodes to be shut to the thief, with these words.
func (s thief) refusedWith(t *testing.T, words string, nodes ...string) {
	t.Helper()
	for _, node := range nodes {
		for protocol := range channels {
			conn, said := s.refused(s.lab.Host(node), protocol, words)
			if conn != nil || !strings.Contains(said, words) {
				t.Errorf("%s at %s answers the stolen key %q, which is not %q", protocol, node, said, words)
			}
		}
	}
}

// refused tries until a node refuses the thief with these words. A key is barred everywhere within
// a second, and a daemon that has just started opens its ports one by one.
func (s thief) refused(host *lab.Host, protocol, words string) (conn net.Conn, said string) {
	starts, soon := time.Now().Add(20*time.Second), time.Now().Add(time.Second)
	for {
		conn, said = s.reach(host, protocol)
		limit := soon
		if strings.HasSuffix(said, "connection refused") {
			limit = starts
		}
		if strings.Contains(said, words) || time.Now().After(limit) {
			return conn, said
		}
		if conn != nil {
			conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// opens reports whether a stolen node.key opens the data key in a backup.
func (s thief) opens(t *testing.T, backup string) bool {
	t.Helper()
	text, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := pki.LoadIdentity(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	var state cluster.State
	if err := json.Unmarshal(text, &state); err != nil || len(state.Secrets.Wraps) == 0 {
		t.Fatalf("%s: %v, %d keys", backup, err, len(state.Secrets.Wraps))
	}
	for _, wrapped := range state.Secrets.Wraps {
		if _, err := identity.Key.Unwrap(state.ID, wrapped); err == nil {
			return true
		}
	}
	return false
}

// copied: somebody has a copy of the key of node2, whose machine stays where it is.
func (l *losses) copied(t *testing.T, ctx context.Context) {
	stolen := steal(t, l.lab, l.data("node2"), "node.crt", "node.key")
	held, said := stolen.reach(l.lab.Host("node1"), "clusterd-quorum")
	if held == nil {
		t.Fatalf("a member is refused: %s", said)
	}
	defer held.Close()
	l.part(t, ctx, "A copy of a node's key, while the machine is still yours")
	l.until(t, ctx, "clustat --events --limit 100", "before is barred for good")
	stolen.refusedWith(t, "removed from the cluster", "node1", "node2", "node3")
	held.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := held.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Error("a connection of the old key lives on")
	}
	fresh := steal(t, l.lab, l.data("node2"), "node.crt", "node.key")
	if held, said := fresh.reach(l.lab.Host("node1"), "clusterd-quorum"); held == nil {
		t.Errorf("the new key is refused: %s", said)
	} else {
		held.Close()
	}
	l.undisturbed(t, ctx, "a node was given another key", "web", "mail", "shop")
}
