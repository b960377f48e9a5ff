package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Places are control groups, one for each service, in which its processes live:
// apart from the daemon, and found again by whoever has to end them. They are
// scopes where systemd makes them, and groups below the daemon's own elsewhere.
// Where the kernel has no control groups of version 2 there are none, and
// processes have only sessions of their own.
type Places struct {
	root string
	// scopes is the folder of systemd's slice, empty without scopes.
	scopes string
	maker  Scoper
	warn   func(error)
}

// NewPlaces finds the control groups' file system, in which each service gets a
// group below one of this name, which lies below the daemon's own. The error says why there are
// no places; Places without them work and keep nothing apart.
func NewPlaces(name string) (Places, error) {
	mount, err := unifiedMount()
	if err != nil {
		return Places{}, err
	}
	own, err := ownGroup()
	if err != nil {
		return Places{}, err
	}
	return Places{root: filepath.Join(mount, own, name)}, nil
}

// unifiedMount is where version 2 is mounted: alone, or beside version 1.
func unifiedMount() (string, error) {
	for _, path := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if err := unix.Statfs(path, &fs); err == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return path, nil
		}
	}
	return "", errors.New("this kernel has no control groups of version 2 mounted")
}

func ownGroup() (string, error) { return groupOfProcess("self") }

func groupOfProcess(process string) (string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", process, "cgroup"))
	if err != nil {
		return "", fmt.Errorf("find a process's control group: %w", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if group, found := strings.CutPrefix(line, "0::"); found {
			return group, nil
		}
	}
	return "", fmt.Errorf("process %s is in no control group of version 2", process)
}

// Open makes the place of a service. Without places it is nil, which is no error.
func (p Places) Open(home Home) (*Place, error) {
	if p.root == "" {
		return nil, nil
	}
	if p.scopes != "" {
		place, err := p.scope(home)
		if err == nil {
			return place, nil
		}
		p.warn(err)
	}
	path := filepath.Join(p.root, home.Key)
	_ = os.Remove(path) // an empty one may have a past, see Clear
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("make the control group of a service: %w", err)
	}
	folder, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the control group of a service: %w", err)
	}
	return &Place{File: folder}, nil
}

// groups are the folders in which a service's processes may live: those begun
// while systemd made no scopes live below the daemon's own group.
func (p Places) groups(home Home) []string {
	var list []string
	if p.root != "" {
		list = append(list, filepath.Join(p.root, home.Key))
	}
	if p.scopes != "" {
		list = append(list, filepath.Join(p.scopes, p.scopeName(home)))
	}
	return list
}

// Processes lists who lives there.
func (p Places) Processes(home Home) []string {
	var list []string
	for _, group := range p.groups(home) {
		list = append(list, processesIn(group)...)
	}
	return list
}

func processesIn(group string) []string {
	text, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// Clear kills who lives there and waits, within the limit, until nobody does and
// init has buried the dead. The group is frozen meanwhile, so that nobody has
// children on the way out. (cgroup.kill would do it at once, but a kernel that has
// it kills whatever is started in that group later, too: Linux 6.18, tried.)
func (p Places) Clear(home Home, limit time.Duration) {
	end := time.Now().Add(limit)
	for _, group := range p.groups(home) {
		clearGroup(group, end)
	}
}

func clearGroup(group string, end time.Time) {
	freeze := filepath.Join(group, "cgroup.freeze")
	defer func() { _ = os.WriteFile(freeze, []byte("0"), 0) }()
	killed := map[int]bool{}
	for ; time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_ = os.WriteFile(freeze, []byte("1"), 0)
		living := processesIn(group)
		for _, text := range living {
			if pid, err := strconv.Atoi(text); err == nil && pid > 1 {
				killed[pid] = true
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		_ = os.WriteFile(freeze, []byte("0"), 0)
		if len(living) == 0 && allGone(killed) {
			return
		}
	}
}

func allGone(killed map[int]bool) bool {
	for pid := range killed {
		if _, err := readStat(pid); err == nil {
			return false
		}
	}
	return true
}

// Remove gives an empty place back; one where somebody lives stays. Scopes end by
// themselves.
func (p Places) Remove(home Home) {
	if p.root != "" {
		_ = os.Remove(filepath.Join(p.root, home.Key))
		_ = os.Remove(p.root)
	}
}
