package daemon

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// loopback is real TCP, for the figures.
type loopback struct{ net.Listener }

func (l loopback) Dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// benchNode is a log on real files, and the folder beside it.
type benchNode struct {
	log    *quorum.Log
	folder membership.Folder
}

// benchNodes are three nodes on loopback, of which the first leads.
func benchNodes(b *testing.B) []benchNode {
	var members []quorum.Member
	var listeners []net.Listener
	for i := range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		listeners = append(listeners, listener)
		members = append(members, quorum.Member{ID: fmt.Sprint("node", i+1), Address: listener.Addr().String(), Voter: true})
	}
	nodes := make([]benchNode, len(members))
	for i, member := range members {
		wire := quorum.NewWire(loopback{listeners[i]}, nil)
		folder := membership.Folder(b.TempDir())
		log, err := quorum.Open(quorum.Options{ID: member.ID, Address: member.Address, Wire: wire, Bootstrap: members,
			DataDir: folder.LogDir(), Fatal: func(reason string) { b.Error(reason) }},
			newReplica(func(reason string) { b.Error(reason) }, func() {}))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = wire.Close() })
		b.Cleanup(func() { _ = log.Close() })
		nodes[i] = benchNode{log, folder}
	}
	for !nodes[0].log.Role().IsLeader {
		for _, other := range nodes[1:] {
			if other.log.Role().IsLeader {
				_ = other.log.HandOver(b.Context(), members[0].ID)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nodes
}

// mark writes down how far the log goes, as keepHeld does, in a cluster of three.
func (n benchNode) mark() error {
	held := n.log.Held()
	return n.folder.Write(membership.HeldFile, logbook.Held{Mine: held,
		Others:  map[string]quorum.Held{"node2": held, "node3": held},
		Members: map[string]string{"node2": "10.0.0.2:7440", "node3": "10.0.0.3:7440"}})
}

// BenchmarkCommit is what the mark beside the key costs whoever waits for a commit: without it,
// with it as it is (each node writes it once a second where the log moved), and as it would be
// if the mark were written all the time. Its folder is to be on a real file system:
// TMPDIR=/var/tmp go test -bench Commit -benchtime 10s
func BenchmarkCommit(b *testing.B) {
	for _, way := range []struct {
		name  string
		every time.Duration
	}{{"no mark", 0}, {"mark once a second", logbook.HeldEvery}, {"mark without a pause", time.Nanosecond}} {
		b.Run(way.name, func(b *testing.B) {
			nodes := benchNodes(b)
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			if way.every > 0 {
				for _, n := range nodes {
					go keepMarking(ctx, n, way.every)
				}
			}
			data, err := cluster.Encode([]cluster.Command{cluster.Probed{Service: "vm:a", Node: "node1"}})
			if err != nil {
				b.Fatal(err)
			}
			var commits []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := nodes[0].log.Propose(ctx, data); err != nil {
					b.Fatal(err)
				}
				commits = append(commits, time.Since(began))
				time.Sleep(time.Millisecond) // an idle log, as a cluster manager's mostly is
			}
			reportMedian(b, "commit", commits)
		})
	}
}

func keepMarking(ctx context.Context, n benchNode, every time.Duration) {
	for sleep.For(ctx, every) && n.mark() == nil {
	}
}

// BenchmarkMark is one mark alone.
func BenchmarkMark(b *testing.B) {
	n := benchNodes(b)[0]
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := n.mark(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	reportMedian(b, "mark", took)
}

func reportMedian(b *testing.B, what string, figures []time.Duration) {
	slices.Sort(figures)
	b.ReportMetric(float64(figures[len(figures)/2].Microseconds()), what+"_p50_us")
	b.ReportMetric(float64(figures[len(figures)*99/100].Microseconds()), what+"_p99_us")
}
