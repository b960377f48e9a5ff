// Package gossip finds the members of a cluster and carries small hints among them, encrypted. It
// survives the loss of quorum. Nothing may be decided, and nobody fenced, because of what it says.
//
// It hides its library, memberlist, and keeps packets and streams from it that would end the
// daemon.
package gossip
