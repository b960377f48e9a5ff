package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/fence/watchdog"
)

const self = "/proc/self/exe"

// node obeys the test.
type node struct {
	name  string
	line  *line
	disks []string
	child *os.Process
}

// obey does one command. Its answer is one line.
func (n *node) obey(words []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	commands := map[string]func(context.Context, []string) (any, error){
		"disks": n.listDisks, "unfence": n.unfence, "survey": n.survey, "check": n.check, "fence": n.fence, "read": n.read,
		"write":  n.write,
		"daemon": n.daemon, "keeper": n.keeper, "format": n.format, "pill": n.pill, "clear": n.clear,
		"multipath": n.multipath, "guard": n.guard, "loopback": n.loopback,
		"put": n.put, "run": n.run, "spawn": n.spawn, "show": n.show,
	}
	command, known := commands[words[0]]
	if !known {
		return "", fmt.Errorf("there is no command %q", words[0])
	}
	value, err := command(ctx, words[1:])
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(value)
	return string(text), err
}

func (n *node) listDisks(context.Context, []string) (any, error) { return n.disks, nil }

// storage is the driver of this node, or of another that it plays.
func (n *node) storage(playing []string) *scsi.Driver {
	name := n.name
	if len(playing) > 0 {
		name = playing[0]
	}
	return scsi.New(scsi.Options{Cluster: "vm", Node: name, Nodes: func() []string { return []string{"a", "b"} },
		Helper: []string{self, "scsi-helper"}})
}

func shared(disk string) fence.Device {
	return fence.Device{Name: "shared", Driver: scsi.Kind, Options: map[string]string{"devices": disk}}
}

// unfence is "unfence DISK [NODE]".
func (n *node) unfence(ctx context.Context, words []string) (any, error) {
	return nil, n.storage(words[1:]).Unfence(ctx, shared(words[0]))
}

func (n *node) survey(ctx context.Context, words []string) (any, error) {
	return n.storage(nil).Survey(ctx, shared(words[0]))
}

func (n *node) check(ctx context.Context, words []string) (any, error) {
	return n.storage(nil).Check(ctx, shared(words[0])), nil
}

func target(name string) fence.Request {
	return fence.Request{
		Act: "1.1.0", Target: fence.Target{Node: name, Boot: "boot-of-" + name},
		StillWanted: func() error { return nil }, SignOfLife: func() bool { return false },
	}
}

// fence is "fence NODE DISK [FENCER]".
func (n *node) fence(ctx context.Context, words []string) (any, error) {
	request := target(words[0])
	request.Device = shared(words[1])
	return n.storage(words[2:]).Fence(ctx, request), nil
}

const (
	// counterAt is where a node writes how often it has written.
	counterAt = 1 << 20
	// severalWrites is when it tells that it is in full swing.
	severalWrites = 20
)

// write is "write DISK": count up on the disk until that fails, which is an
// event with the error's number.
func (n *node) write(_ context.Context, words []string) (any, error) {
	file, page, err := openDirect(words[0])
	if err != nil {
		return nil, err
	}
	go func() {
		defer func() { _ = file.Close() }()
		countUp(n.line, file, page, counterAt)
	}()
	return nil, nil
}

// read is "read DISK [NODE]": the last count of a node's writer, or of "write".
func (n *node) read(_ context.Context, words []string) (any, error) {
	file, page, err := openDirect(words[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_, err = file.ReadAt(page, counterOf(strings.Join(words[1:], "")))
	return binary.BigEndian.Uint64(page), err
}

func openDirect(disk string) (*os.File, []byte, error) {
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(disk, os.O_RDWR|unix.O_DIRECT|unix.O_SYNC, 0)
	return file, page, err
}

// format is "format DISK WATCHDOG": make it a disk for fence messages.
func (n *node) format(_ context.Context, words []string) (any, error) {
	timeout, err := time.ParseDuration(words[1])
	if err != nil {
		return nil, err
	}
	return nil, watchdog.Format(words[0], watchdog.Header{Watchdog: timeout, Allocate: time.Second, Loop: time.Second,
		MsgWait: 2 * timeout})
}

func (n *node) messages() *watchdog.Driver {
	return watchdog.New(watchdog.Options{Node: n.name, Armed: func(fence.Target, []string) error { return nil },
		Helper: []string{self, "sbd-helper"}})
}

func messageDisk(disk string) fence.Device {
	return fence.Device{Name: "messages", Driver: watchdog.Kind, Options: map[string]string{"devices": disk}}
}

// pill is "pill NODE DISK".
func (n *node) pill(ctx context.Context, words []string) (any, error) {
	request := target(words[0])
	request.Device = messageDisk(words[1])
	return n.messages().Fence(ctx, request), nil
}

func (n *node) clear(ctx context.Context, words []string) (any, error) {
	return nil, n.messages().Clear(ctx, messageDisk(words[1]), words[0])
}

// keeperOptions are the same for every daemon of this node. Where the machine
// was booted with a watchdog that has no way out, that is insisted on.
func keeperOptions(node, timeout string, disks []string) (watchdog.KeeperOptions, error) {
	limit, err := time.ParseDuration(timeout)
	if err != nil {
		return watchdog.KeeperOptions{}, err
	}
	booted, err := os.ReadFile("/proc/cmdline")
	return watchdog.KeeperOptions{
		Socket: "/run/keeper", Device: "/dev/watchdog", Timeout: limit, LongestLease: time.Minute, Node: node, Disks: disks,
		NoWayOut: strings.Contains(string(booted), "nowayout="),
	}, err
}

func openKeeper(ctx context.Context, node, timeout string, disks []string) (*watchdog.Client, error) {
	options, err := keeperOptions(node, timeout, disks)
	if err != nil {
		return nil, err
	}
	return watchdog.Start(ctx, options, []string{self, "watchdog-keeper"})
}

// keeper is "keeper free|stop|state TIMEOUT [DISK]".
func (n *node) keeper(ctx context.Context, words []string) (any, error) {
	client, err := openKeeper(ctx, n.name, words[1], words[2:])
	if err != nil {
		return nil, err
	}
	switch words[0] {
	case "free":
		err = client.Free(ctx)
	case "stop":
		return nil, client.Stop(ctx)
	}
	if err != nil {
		return nil, err
	}
	return client.State(ctx)
}

// daemon is "daemon start LEASE TIMEOUT [DISK]" or "daemon kill": a process
// that renews a lease until it is killed.
func (n *node) daemon(_ context.Context, words []string) (any, error) {
	if words[0] == "kill" {
		err := n.child.Kill()
		_, _ = n.child.Wait()
		return nil, err
	}
	ready, told, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ready.Close() }()
	n.child, err = os.StartProcess(self, append([]string{self, "daemon", n.name}, words[1:]...),
		&os.ProcAttr{Files: []*os.File{nil, told, os.Stderr}})
	_ = told.Close()
	if err != nil {
		return nil, err
	}
	// The first lease was granted when it speaks.
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("the daemon did not get its first lease: %w", err)
	}
	return nil, nil
}

// runDaemon is the process: NODE LEASE TIMEOUT [DISK].
func runDaemon(words []string) error {
	lease, err := time.ParseDuration(words[1])
	if err != nil {
		return err
	}
	client, err := openKeeper(context.Background(), words[0], words[2], words[3:])
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := client.Lease(context.Background(), watchdog.Now()+lease); err != nil {
			return err
		}
		if first {
			fmt.Println("leased")
		}
		time.Sleep(lease / 10)
	}
}
