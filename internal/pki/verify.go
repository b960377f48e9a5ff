package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrRemoved is returned when the peer's key is one that the cluster removed, and by Dial when
	// the other end says so about this node. A daemon that hears it about itself should stop, after
	// it asked a majority: one node's log may lag behind.
	ErrRemoved = errors.New("removed from the cluster")
	// ErrOtherCluster is returned when the peer's certificate names another cluster or another
	// authority signed it.
	ErrOtherCluster = errors.New("not of this cluster")
	// ErrCertificateDates is returned when a certificate is expired or not yet valid by this
	// machine's clock, and the key is not one that the cluster recorded for that node.
	ErrCertificateDates = errors.New("certificate not valid at this time")
	// ErrWrongNode is returned when another node than the wanted one answers at an address.
	ErrWrongNode = errors.New("another node answers")
)

// StandingKind is what the cluster's state says about a peer's key.
type StandingKind int

const (
	// StandingUnknown is a key that the state does not hold. A node with it is nobody, whoever
	// signed its certificate: every node that ever was a member may hold the authority's key.
	// Clients have no other standing, unless they were revoked.
	StandingUnknown StandingKind = iota
	// StandingMember is exactly the key that is recorded for this node. Wrong dates are forgiven
	// and reported.
	StandingMember
	// StandingVouched is a node's key that this node's state does not hold, because its log is
	// behind, and that a member's state does. It is held to the dates of its certificate.
	StandingVouched
	// StandingRemoved is a key that was removed, by removing or replacing its node or by revoking a
	// client. It is always refused.
	StandingRemoved
)

// Standing is the state's answer about one peer.
type Standing struct {
	Kind      StandingKind
	RemovedAt time.Time // For StandingRemoved: when, for the message; may be zero.
}

// Trust is what connections need to know of the world. Every field may be nil; its functions are
// called from many goroutines and must not block.
type Trust struct {
	// Standing looks up the pair of the peer's name and fingerprint in the replicated state. After
	// a node was replaced, its old fingerprint is StandingRemoved and its new one StandingMember.
	// Joiners are not asked about. Nil means StandingUnknown for everyone.
	Standing func(Peer) Standing
	// Warn is told when wrong dates were forgiven. It is called at each such connection: who shows
	// it should show changes only.
	Warn func(node, reason string)
	// Authorities are those that are believed beside one's own, while one takes the other's place.
	Authorities func() []*x509.Certificate
	// Now is the wall clock that dates are judged by; nil means time.Now.
	Now func() time.Time
}

func (trust Trust) now() time.Time {
	if trust.Now == nil {
		return time.Now()
	}
	return trust.Now()
}

func (trust Trust) standing(peer Peer) Standing {
	if trust.Standing == nil || peer.Kind == KindJoiner {
		return Standing{Kind: StandingUnknown}
	}
	return trust.Standing(peer)
}

// verifyAny is verifyPeer by one's own authority, or by one that is believed beside it.
func (store *Store) verifyAny(leaf *x509.Certificate, usage x509.ExtKeyUsage) (Peer, error) {
	own := store.Identity().Authority
	for _, other := range store.trust.authorities() {
		if !other.Equal(own) && leaf.CheckSignatureFrom(other) == nil {
			return verifyPeer(leaf, other, usage, store.trust)
		}
	}
	return verifyPeer(leaf, own, usage, store.trust)
}

func (trust Trust) authorities() []*x509.Certificate {
	if trust.Authorities == nil {
		return nil
	}
	return trust.Authorities()
}

// verifyPeer decides whether the holder of this certificate is who it says. The usage is that of
// the peer's role in the handshake.
func verifyPeer(leaf, authority *x509.Certificate, usage x509.ExtKeyUsage, trust Trust) (Peer, error) {
	// Which cluster is asked first, only for the sake of the message: a signature that does not fit
	// explains nothing.
	wantCluster, err := authorityClusterID(authority)
	if err != nil {
		return Peer{}, err
	}
	clusterID, peer, err := readName(leaf)
	if err != nil {
		return Peer{}, fmt.Errorf("%w: %w", ErrOtherCluster, err)
	}
	if clusterID != wantCluster {
		return Peer{}, fmt.Errorf("%s belongs to cluster %s, this is cluster %s: %w", peer, clusterID, wantCluster,
			ErrOtherCluster)
	}
	from, to := latest(leaf.NotBefore, authority.NotBefore), earliest(leaf.NotAfter, authority.NotAfter)
	now := trust.now()
	if err := verifyChain(leaf, authority, usage, clamp(now, from, to)); err != nil {
		return Peer{}, fmt.Errorf("%s shows a certificate that this cluster's authority did not sign for this use: %w: %w",
			peer, ErrOtherCluster, err)
	}
	return peer, judge(peer, trust, now, from, to)
}

// judge decides about a peer whose chain is good: by its standing, then by its dates.
func judge(peer Peer, trust Trust, now, from, to time.Time) error {
	standing := trust.standing(peer)
	if standing.Kind == StandingRemoved {
		return Admit(ChannelRaft, Accepting, peer, standing) // no channel is open to it; the words are the same for all
	}
	problem := datesProblem(now, from, to)
	if problem == "" {
		return nil
	}
	// Forgiveness is for members. A client certificate stands for a person and has no recorded
	// machine behind it.
	if standing.Kind == StandingMember && peer.Kind == KindNode {
		if trust.Warn != nil {
			trust.Warn(peer.Name, fmt.Sprintf(
				"its certificate %s; it is accepted because its key is the recorded one; set the clocks, or see why the "+
					"certificate was not renewed", problem))
		}
		return nil
	}
	return fmt.Errorf("%s: %w: it %s, and its key %s is not one this node knows; set the clocks of both machines, or "+
		"let it get a new certificate",
		peer, ErrCertificateDates, problem, peer.Fingerprint)
}

func datesProblem(now, from, to time.Time) string {
	switch {
	case now.Before(from):
		return fmt.Sprintf("is valid only from %s, but this machine's clock says %s", stamp(from), stamp(now))
	case now.After(to):
		return fmt.Sprintf("expired on %s, and this machine's clock says %s", stamp(to), stamp(now))
	default:
		return ""
	}
}

// verifyChain checks signatures, constraints and usage, at an instant at which dates cannot fail.
func verifyChain(leaf, authority *x509.Certificate, usage x509.ExtKeyUsage, instant time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: instant, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func clamp(instant, from, to time.Time) time.Time { return earliest(latest(instant, from), to) }
