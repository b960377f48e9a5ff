package assemble

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// writeBelow makes files of a kernel.
func writeBelow(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAHostIsMeasuredByItsKernelsFiles(t *testing.T) {
	root := writeBelow(t, map[string]string{
		"proc/meminfo": "MemTotal:       32804436 kB\nMemFree:         1024 kB\n",
		"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages":    "512\n",
		"sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "2\n",
		"sys/devices/system/cpu/online":                            "0-3,8,10-11\n",
	})
	got, err := capacityBelow(root)
	if err != nil {
		t.Fatal(err)
	}
	const total = 32804436 * resources.KiB
	want := cluster.Capacity{Memory: (total - 3*resources.GiB) / grain * grain, Huge: 3 * resources.GiB, CPUs: 7}
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAHostThatCannotBeMeasuredSaysWhy(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"no such file":  {},
		"no line Mem":   {"proc/meminfo": "MemFree: 12 kB\n"},
		"read MemTotal": {"proc/meminfo": "MemTotal: many kB\n"},
		"in huge pages": {"proc/meminfo": "MemTotal: 1048576 kB\n",
			"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512"},
	} {
		got, err := capacityBelow(writeBelow(t, files))
		if err == nil || !strings.Contains(err.Error(), want) || got.Known() {
			t.Errorf("%s, %v; want %q", got, err, want)
		}
	}
}

// TestThisHostCanBeMeasured: where the tests run there is a kernel that tells.
func TestThisHostCanBeMeasured(t *testing.T) {
	if got, err := capacityBelow("/"); err != nil || got.Memory < grain || got.CPUs < 1 {
		t.Errorf("%s, %v", got, err)
	}
}
