package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files of an identity for remote tools, in its folder.
const (
	AuthorityFile   = "ca.pem"
	CertificateFile = "client.pem"
	KeyFile         = "client.key"
)

// remoteProtocol is the name under which the daemon's one port serves this interface (ALPN),
// HTTP/1.1 in it.
const remoteProtocol = "clusterd-api"

// longestGreeting bounds the sentence of a greeting, in bytes.
const longestGreeting = 512

// newRemoteClient makes a client that goes by mutual TLS 1.3 under the cluster's own authority.
func newRemoteClient(options Options) (*Client, error) {
	address := options.Host
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), DefaultPort)
	}
	config, known, err := identity(options.Identity)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialWithin}
	transport := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			raw, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(ctx, dialWithin)
			defer cancel()
			connection, err := secure(ctx, raw, config)
			if err != nil {
				raw.Close()
				// Nothing was sent yet, which is what Op "dial" says.
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
			}
			return connection, nil
		},
		DisableCompression: true,
		MaxIdleConns:       2,
		IdleConnTimeout:    30 * time.Second,
	}
	client := &http.Client{Transport: refreshing{transport, known}}
	return &Client{base: "https://" + address, where: address, http: client}, nil
}

// secure makes a connection ready for use: handshake, then the daemon's greeting. The greeting
// is a byte of verdict (0 is welcome), two of length, and a sentence: TLS alone refuses a peer
// only after the peer believes that it is connected, and without a reason that helps anybody.
func secure(ctx context.Context, raw net.Conn, config *tls.Config) (net.Conn, error) {
	connection := tls.Client(raw, config)
	if err := connection.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	// The context's end closes the connection, which ends a read that waits for a silent daemon.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	var header [3]byte
	if _, err := io.ReadFull(connection, header[:]); err != nil {
		return nil, fmt.Errorf("no greeting came: %w", errors.Join(ctx.Err(), err))
	}
	sentence := make([]byte, min(binary.BigEndian.Uint16(header[1:]), longestGreeting))
	if _, err := io.ReadFull(connection, sentence); err != nil {
		return nil, fmt.Errorf("the greeting broke off: %w", errors.Join(ctx.Err(), err))
	}
	if header[0] != 0 {
		return nil, fmt.Errorf("it refuses this client: %s", sentence)
	}
	return connection, nil
}

// identity reads the files and makes the TLS settings of them.
func identity(folder string) (*tls.Config, *knownNodes, error) {
	if folder == "" {
		folder = os.Getenv(IdentityVariable)
	}
	if folder == "" {
		settings, err := os.UserConfigDir()
		if err != nil {
			return nil, nil, fmt.Errorf("find the folder of the client certificate: %w; give it with --identity", err)
		}
		folder = filepath.Join(settings, "clusterd")
	}
	authority, err := os.ReadFile(filepath.Join(folder, AuthorityFile))
	if err != nil {
		return nil, nil, identityError(folder, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, nil, fmt.Errorf("%s holds no certificate", filepath.Join(folder, AuthorityFile))
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(folder, CertificateFile), filepath.Join(folder, KeyFile))
	if err != nil {
		return nil, nil, identityError(folder, err)
	}
	known := &knownNodes{path: filepath.Join(folder, NodesFile)}
	if keys, err := known.read(); err == nil { // while the authority is rotated, there are two
		for _, text := range keys.Authorities {
			roots.AppendCertsFromPEM([]byte(text))
		}
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{own},
		NextProtos:   []string{remoteProtocol},
		// The host name is not what makes a node: an administrator reaches it by whatever address
		// works. What counts is a node's certificate under this cluster's authority, which verifyNode
		// checks.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return verifyNode(state, roots, known) },
	}, known, nil
}

func identityError(folder string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no client certificate in %s (%w); have one made on a node with \"clusterd client\", or name "+
			"its folder with --identity", folder, err)
	}
	return fmt.Errorf("read the client certificate in %s: %w", folder, err)
}

// verifyNode accepts a certificate that the cluster's authority gave to a node.
func verifyNode(state tls.ConnectionState, roots *x509.CertPool, known *knownNodes) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the other end showed no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	node := state.PeerCertificates[0]
	_, err := node.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return fmt.Errorf("the other end is not a node of this cluster: %w", err)
	}
	for _, name := range node.URIs {
		if name.Scheme == "clusterd" && strings.HasPrefix(name.Path, "/node/") {
			return known.verify(node, strings.TrimPrefix(name.Path, "/node/"))
		}
	}
	return errors.New("the other end has a certificate of this cluster, but not a node's")
}
