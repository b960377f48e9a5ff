package membership

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// SealedAuthority is the purpose for which the authority's key is sealed with the data key.
const SealedAuthority = "the authority's key"

// SigningPin names the authority that signs now; empty where a State has none that can be read.
func SigningPin(root *cluster.State) string {
	text := root.Secrets.Authority
	if next := root.Secrets.Next; next != nil && next.Signing {
		text = next.Certificate
	}
	certificate, err := pki.ParseCertificate([]byte(text))
	if err != nil {
		return ""
	}
	return pki.Fingerprint(certificate)
}

// OpenNext opens the authority that takes the present one's place.
func OpenNext(next *cluster.NextAuthority, key pki.DataKey) (*pki.CA, error) {
	private, err := key.Open(SealedAuthority, next.Key)
	if err != nil {
		return nil, fmt.Errorf("open the new authority's key: %w", err)
	}
	return pki.LoadCA([]byte(next.Certificate), private)
}

// OpenAuthority opens the authority that the State records.
func OpenAuthority(secrets cluster.Secrets, key pki.DataKey) (*pki.CA, error) {
	private, err := key.Open(SealedAuthority, secrets.AuthorityKey)
	if err != nil {
		return nil, fmt.Errorf("open the authority's key: %w", err)
	}
	return pki.LoadCA([]byte(secrets.Authority), private)
}
