// Package pki is the cluster's own certificate authority and all of its TLS: node keys and
// certificates, client certificates for the remote command line, join tokens, and the one
// listener on which every protocol between nodes arrives.
//
// Who is who is decided here, who may do what is not. A connection that comes out of Mux or Dial
// has a Peer (a node, a client with a role, or a joiner without a certificate) whose certificate
// was verified under this cluster's authority; handlers decide what that peer may ask for.
//
// A wrong wall clock must not cut a known node off. Certificates are short-lived, clocks of
// machines that were just powered on are often wrong, and a cluster that refuses its own members
// for that reason fails on the very night it is required. So the key, not the date, makes a
// member: when the peer's key is the one the cluster recorded at its join (Trust.Standing says
// StandingMember), dates outside the certificate's life are reported through Trust.Warn and
// forgiven. A key that the cluster has not recorded is held to the dates strictly, and a removed
// key is refused whatever its dates say.
//
// Duties of the caller:
//   - keep CA.KeyPEM secret: whoever has it can be any node. It lies in the replicated log and
//     in snapshots, which are 0600;
//   - answer Trust.Standing from the replicated state, from any goroutine, without blocking;
//   - after a node is removed, call Mux.Disconnect, because standing is looked at when a
//     connection is made and not again;
//   - renew: call NeedsRenewal now and then, have the new certificate signed, and hand it to
//     Store.Replace;
//   - burn a join token in the replicated state when it was used. Stored.Verify cannot know that
//     it was.
package pki
