package power

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

const (
	redfishPort        = 443
	maxRedfishName     = 128
	maxRedfishPassword = 256
)

// trust is what makes a certificate acceptable; the zero value asks the
// authorities that this node's system trusts.
type trust struct {
	authorities  *x509.CertPool
	fingerprints []string
	insecure     bool
}

// errFingerprint is the reason when a pinned certificate was replaced.
var errFingerprint = errors.New("its certificate is not the pinned one")

// config is the TLS configuration for a host.
func (t trust) config(host string) *tls.Config {
	c := &tls.Config{ServerName: host, RootCAs: t.authorities, MinVersion: tls.VersionTLS12}
	switch {
	case len(t.fingerprints) > 0:
		// A pinned certificate needs neither an authority nor a name nor a date:
		// whoever holds its key is the BMC that was pinned.
		c.InsecureSkipVerify = true
		c.VerifyConnection = t.pinned
	case t.insecure:
		c.InsecureSkipVerify = true
	}
	return c
}

func (t trust) pinned(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errFingerprint
	}
	shown := fingerprintOf(state.PeerCertificates[0])
	for _, known := range t.fingerprints {
		if shown == known {
			return nil
		}
	}
	return fmt.Errorf("%w: it shows %s", errFingerprint, shown)
}

func fingerprintOf(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// describeTLS adds the fingerprint that was shown to a failed verification, so
// that an operator who compares it with the BMC's own page can pin it.
func describeTLS(err error) error {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) || len(failed.UnverifiedCertificates) == 0 {
		return err
	}
	shown := failed.UnverifiedCertificates[0]
	return fmt.Errorf("fingerprint %s, valid from %s to %s: %w", fingerprintOf(shown),
		shown.NotBefore.UTC().Format("2006-01-02"), shown.NotAfter.UTC().Format("2006-01-02"), failed.Err)
}

// checkRedfishLogin bounds what is sent at a login.
func (s settings) checkRedfishLogin() error {
	switch {
	case s.username == "" || len(s.username) > maxRedfishName || strings.ContainsFunc(s.username, control):
		return fmt.Errorf("username must have 1 to %d characters", maxRedfishName)
	case s.basic && strings.Contains(s.username, ":"):
		return errors.New("username has a colon, which basic authentication cannot carry; use auth: session")
	case s.password == "" || len(s.password) > maxRedfishPassword || strings.ContainsFunc(s.password, control):
		return fmt.Errorf("password must have 1 to %d characters", maxRedfishPassword)
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// portOf is where a kind of BMC listens.
func portOf(device fence.Device) int {
	if device.Driver == KindRedfish {
		return redfishPort
	}
	return defaultPort
}
