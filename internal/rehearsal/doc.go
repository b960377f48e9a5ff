// Package rehearsal tries a cluster document out on paper: a made-up cluster of
// its nodes, decided by the very Apply and Plan that decide in earnest, in which
// every act works. It answers where a service would run, and what would follow
// if a node were lost, without a cluster, a daemon or a host.
//
// What it cannot tell: how long anything takes, and what fails. Fence devices
// are taken to confirm off; where there is none, the rehearsal waits as a real
// cluster would.
package rehearsal
