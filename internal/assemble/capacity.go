package assemble

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// grain is what memory is rounded down to: a kernel that was updated reserves a little more or
// less, and that is no news.
const grain = 64 * resources.MiB

// capacityBelow measures what a host has, from the files of its kernel below a folder, "/" for this
// one. Its ordinary memory is without what is set aside in huge pages.
func capacityBelow(root string) (cluster.Capacity, error) {
	total, err := memTotal(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return cluster.Capacity{}, err
	}
	huge, err := hugePages(filepath.Join(root, "sys/kernel/mm/hugepages"))
	if err != nil {
		return cluster.Capacity{}, err
	}
	c := cluster.Capacity{Memory: (total - min(total, huge)) / grain * grain, Huge: huge,
		CPUs: onlineCPUs(filepath.Join(root, "sys/devices/system/cpu/online"))}
	if !c.Known() {
		return cluster.Capacity{}, fmt.Errorf("of %s of memory, %s are in huge pages", total, huge)
	}
	return c, nil
}

// memTotal reads MemTotal (proc_meminfo(5)).
func memTotal(path string) (resources.Bytes, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			number, err := strconv.ParseUint(fields[1], 10, 50)
			if err != nil {
				return 0, fmt.Errorf("read MemTotal of %s: %w", path, err)
			}
			return resources.Bytes(number) * resources.KiB, nil
		}
	}
	return 0, errors.Join(fmt.Errorf("%s has no line MemTotal in kB", path), lines.Err())
}

// hugePages is the memory that is set aside in huge pages of all sizes. A kernel without them has
// none.
func hugePages(folder string) (resources.Bytes, error) {
	pools, err := filepath.Glob(filepath.Join(folder, "hugepages-*kB"))
	if err != nil {
		return 0, err
	}
	var all resources.Bytes
	for _, pool := range pools {
		var size, pages uint64
		if _, err := fmt.Sscanf(filepath.Base(pool), "hugepages-%dkB", &size); err != nil {
			return 0, fmt.Errorf("read the size of %s: %w", pool, err)
		}
		text, err := os.ReadFile(filepath.Join(pool, "nr_hugepages"))
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscan(string(text), &pages); err != nil {
			return 0, fmt.Errorf("read %s: %w", filepath.Join(pool, "nr_hugepages"), err)
		}
		all += resources.Bytes(pages*size) * resources.KiB
	}
	return all, nil
}

// onlineCPUs counts a list such as 0-3,8. Where it cannot be read, this process's own count is
// taken, which an affinity could make less.
func onlineCPUs(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return runtime.NumCPU()
	}
	count := 0
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(last)
		}
		if err != nil || to < from {
			return runtime.NumCPU()
		}
		count += to - from + 1
	}
	return count
}
