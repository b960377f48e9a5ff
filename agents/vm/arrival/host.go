package arrival

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// dialTimeout bounds one attempt to reach a disk's server.
	dialTimeout = 2 * time.Second
	// mostHanging bounds the looks at storage that have not come back.
	mostHanging = 16
	// mostTold bounds the blockers that are told one by one.
	mostTold = 12
)

// Host looks at this host. Its methods may be called at the same time.
type Host struct {
	root    string
	hanging chan struct{}
	find    func(program string) error
}

// NewHost makes one whose files are below a folder, "/" for this machine's own.
func NewHost(root string) *Host {
	return &Host{root: root, hanging: make(chan struct{}, mostHanging), find: func(program string) error {
		_, err := exec.LookPath(program)
		return err
	}}
}

// Blockers are all that stands in the way. Reserved is the memory in bytes that is promised to
// others. Storage that hangs is not waited for longer than the context lasts, and counts as a
// blocker.
func (h *Host) Blockers(ctx context.Context, n Needs, reserved uint64) []Blocker {
	list := append([]Blocker(nil), n.Fixed...)
	list = append(list, h.interfaces(n)...)
	list = append(list, h.memory(n, reserved)...)
	if n.TPM && h.find("swtpm") != nil {
		list = append(list, Blocker{"swtpm is not installed, and the VM has an emulated TPM", "install swtpm"})
	}
	for _, server := range n.Servers {
		list = append(list, reach(ctx, server)...)
	}
	return append(list, h.images(ctx, n)...)
}

// PostCopy says what keeps a guest from fetching its memory here after it has arrived. QEMU needs
// userfaultfd(2) for that, which the kernel lets only root have unless it is told otherwise
// (vm.unprivileged_userfaultfd, sysctl vm). User is the number of the user that QEMU runs as.
func (h *Host) PostCopy(user int) []Blocker {
	text, err := os.ReadFile(filepath.Join(h.root, "proc/sys/vm/unprivileged_userfaultfd"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Blocker{{"the kernel here has no userfaultfd, which post-copy needs", "move it with mode=pre-copy"}}
	case err == nil && user != 0 && strings.TrimSpace(string(text)) == "0":
		return []Blocker{{"QEMU may not use userfaultfd here, which post-copy needs",
			"set vm.unprivileged_userfaultfd=1 with sysctl on this node, or move it with mode=pre-copy"}}
	}
	return nil
}

// asThere is what to do about an interface that is missing.
const asThere = "create it, as on the node where the VM runs"

func (h *Host) interfaces(n Needs) []Blocker {
	var list []Blocker
	for _, name := range n.Bridges {
		if !h.has("sys/class/net", name) {
			list = append(list, Blocker{"bridge " + name + " is missing", asThere})
		} else if !h.has("sys/class/net", name, "bridge") {
			list = append(list, Blocker{"interface " + name + " is no bridge", "make it one, or name another"})
		}
	}
	for _, name := range n.Devices {
		if !h.has("sys/class/net", name) {
			list = append(list, Blocker{"interface " + name + " is missing", asThere})
		}
	}
	return list
}

// has reports whether something is there; what cannot be looked at is not known to be missing.
func (h *Host) has(parts ...string) bool {
	parts[1] = filepath.Base(parts[1])
	_, err := os.Stat(filepath.Join(append([]string{h.root}, parts...)...))
	return !errors.Is(err, fs.ErrNotExist)
}

// memory holds what the VM needs against what the kernel could hand out without swapping
// (MemAvailable, proc_meminfo(5)). A host that does not tell is not refused.
func (h *Host) memory(n Needs, reserved uint64) []Blocker {
	if n.HugePages {
		return h.hugePages(n)
	}
	available, told := h.available()
	if !told || n.Memory+reserved <= available {
		return nil
	}
	what := fmt.Sprintf("it needs %s of memory, and %s are available", mib(n.Memory), mib(available))
	if reserved > 0 {
		what += fmt.Sprintf(", %s of which are promised to VMs on their way here", mib(reserved))
	}
	return []Blocker{{what, "move something away first, or choose another node"}}
}

// hugePages holds the guest's memory against the pages of all sizes that are free here: they are no
// part of what the kernel calls available.
func (h *Host) hugePages(n Needs) []Blocker {
	pools, err := filepath.Glob(filepath.Join(h.root, "sys/kernel/mm/hugepages/hugepages-*kB"))
	if err != nil || len(pools) == 0 {
		return []Blocker{{"its memory is in huge pages, and there are none here", "set vm.nr_hugepages on this node"}}
	}
	var free uint64
	for _, pool := range pools {
		var size, pages uint64
		if _, err := fmt.Sscanf(filepath.Base(pool), "hugepages-%dkB", &size); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(pool, "free_hugepages"))
		if err != nil {
			return nil
		}
		if _, err := fmt.Sscan(string(text), &pages); err == nil {
			free += pages * size << 10
		}
	}
	if free >= n.Guest {
		return nil
	}
	return []Blocker{{fmt.Sprintf("it needs %s in huge pages, and %s are free", mib(n.Guest), mib(free)),
		"set vm.nr_hugepages higher on this node, or choose another"}}
}

func mib(bytes uint64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

func (h *Host) available() (bytes uint64, told bool) {
	f, err := os.Open(filepath.Join(h.root, "proc/meminfo"))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemAvailable:" && fields[2] == "kB" {
			number, err := strconv.ParseUint(fields[1], 10, 50)
			return number << 10, err == nil
		}
	}
	return 0, false
}

// reach dials the servers of a disk until one answers.
func reach(ctx context.Context, server Server) []Blocker {
	var dialer net.Dialer
	var why error
	for _, address := range server.Addresses {
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := dialer.DialContext(dialing, "tcp", address)
		cancel()
		if err == nil {
			_ = conn.Close()
			return nil
		}
		why = err
	}
	return []Blocker{{fmt.Sprintf("the server of %s, %s, cannot be reached from here: %v", server.Disk,
		strings.Join(server.Addresses, ", "), why), "look at the storage network of this node"}}
}

// images opens every image for reading, and those behind them.
func (h *Host) images(ctx context.Context, n Needs) []Blocker {
	select {
	case h.hanging <- struct{}{}:
	case <-ctx.Done():
		return []Blocker{{fmt.Sprintf("%d earlier looks at storage hang here", mostHanging),
			"look at the storage of this node"}}
	}
	done := make(chan []Blocker, 1)
	go func() {
		defer func() { <-h.hanging }()
		var list []Blocker
		for _, image := range n.Images {
			list = append(list, h.image(image)...)
		}
		done <- list
	}()
	select {
	case list := <-done:
		return list
	case <-ctx.Done():
		return []Blocker{{"opening its images takes too long here", "look at the storage of this node"}}
	}
}

func (h *Host) image(image Image) []Blocker {
	path, behind := image.Path, ""
	for range mostParts {
		next, err := backingOf(filepath.Join(h.root, path), image.Chain)
		switch {
		case errors.Is(err, fs.ErrPermission):
			// Network file systems may refuse root what they allow QEMU's user.
			return nil
		case errors.Is(err, fs.ErrNotExist):
			return []Blocker{{fmt.Sprintf("%s%s, %s, is not here", behind, image.What, path),
				"make it available on this node, or choose one that has it"}}
		case err != nil:
			return []Blocker{{fmt.Sprintf("%s%s, %s, cannot be read here: %v", behind, image.What, path, reason(err)),
				"look at the storage of this node"}}
		case next == "":
			return nil
		case !filepath.IsAbs(next):
			next = filepath.Join(filepath.Dir(path), next)
		}
		path, behind = next, "the image behind "
	}
	return []Blocker{{fmt.Sprintf("the chain of images behind %s does not end", image.What),
		"look at it with `qemu-img info`"}}
}

// reason leaves out the path, which is told already.
func reason(err error) error {
	var place *fs.PathError
	if errors.As(err, &place) {
		return place.Err
	}
	return err
}

// errNoImage is returned for a path that leads to neither a file nor a block device.
var errNoImage = errors.New("it is neither a file nor a block device")

// open opens an image as QEMU would to read it. Its name may stand in another image, which a guest
// wrote: a device that acts when it is opened, such as a watchdog, is not.
func open(path string) (*os.File, error) {
	switch found, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !found.Mode().IsRegular() && !found.IsDir() && found.Mode().Type() != fs.ModeDevice:
		return nil, errNoImage
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
