package cluster_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster/clustertest"
)

// BenchmarkDigest is what the comparison of States costs a follower, and its leader, every ten
// seconds in which something changed. Each VM has a definition of 4 KiB.
func BenchmarkDigest(b *testing.B) {
	for _, many := range []int{10, 500, 4000} {
		b.Run(fmt.Sprintf("%d services", many), func(b *testing.B) {
			var services []string
			for i := range many {
				services = append(services, fmt.Sprintf("vm:%04d", i))
			}
			book := clustertest.NewBook(b, 3, services...)
			for i, service := range services {
				book.Running(service, fmt.Sprintf("node%d", i%3+1))
				book.S.Blobs.Set("definition-of-"+service, strings.Repeat(service, 4096/len(service)))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := book.S.Digest(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
