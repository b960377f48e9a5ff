// Package network makes the networks of guests on this host and takes them away: a bridge per
// network, and a VXLAN device on it that floods to the hosts where the network is used too.
//
// It owns what carries its mark, the interface's alias, and nothing else. What somebody else made
// is neither changed nor removed, and a bridge that anything besides our own device is attached to
// stays. Nothing is kept in memory or in files: after a crash the marks tell what is ours.
//
// Keeper is the one that decides when; callers need CAP_NET_ADMIN. Whether a guest runs is never
// concluded from a network.
package network
