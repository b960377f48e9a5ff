package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

const (
	// usualRounds is how many failovers are measured without an attack.
	usualRounds = 5
	// calm is how long an attack and the cluster are left alone before the power goes.
	calm = 2 * time.Second
	// lost is the host that loses its power, where the VM runs.
	lost = "node3"
)

// town is a second cluster of three, whole, for attacks by crowds.
type town struct {
	*stage.Cluster
	world  *stage.Simulated
	folder string
	// usual is how long a failover takes when nobody disturbs it.
	usual time.Duration
	// pagePort is that of every node's page, and metrics where each serves those.
	pagePort int
	metrics  map[string]string
	// haunting are beats with the keys of a node that was removed, once there was one.
	haunting []shower
}

// town builds it for the first attack that needs it.
func (s *site) town(ctx context.Context) (*town, error) {
	if s.crowded != nil || s.uncrowded != nil {
		return s.crowded, s.uncrowded
	}
	world, err := stage.NewSimulated(s.tools)
	if err != nil {
		return nil, err
	}
	pagePort, err := freeAt("127.0.0.1", "127.0.0.2", "127.0.0.3")
	if err != nil {
		return nil, errors.Join(err, world.Close())
	}
	t := &town{world: world, pagePort: pagePort, metrics: map[string]string{},
		folder: filepath.Dir(filepath.Dir(filepath.Dir(world.Socket("node1"))))}
	t.Cluster = &stage.Cluster{World: world, Plan: stage.Plan{
		Cluster:  "town",
		Top:      []string{"fencing: {shots: 60}", fmt.Sprintf(`web: {listen: ":%d"}`, t.pagePort)},
		Domains:  []string{"third: {ordered: true, restricted: true, members: {node3: 1, node2: 2}}"},
		Services: []stage.Service{{Guest: lab.Guest{Name: "web", Number: 72}, Domain: "third"}},
	}}
	if err := t.prepare(ctx); err != nil {
		s.uncrowded = fmt.Errorf("%w: %w", errUntried, errors.Join(err, world.Close()))
		return nil, s.uncrowded
	}
	s.crowded = t
	return t, nil
}

func (t *town) prepare(ctx context.Context) error {
	// Another user of the host has to find his way to the sockets, and their group is his.
	open := []string{t.folder}
	for _, node := range t.Nodes() {
		port, err := freeAt(outside(node))
		if err != nil {
			return err
		}
		t.metrics[node] = net.JoinHostPort(outside(node), strconv.Itoa(port))
		settings := t.world.NodeSettings(node) + "socket_group: nogroup\n" +
			fmt.Sprintf("metrics: {listen: %q}\n", t.metrics[node])
		if _, err := t.world.WriteFile(node, "node.yaml", settings); err != nil {
			return err
		}
		run := filepath.Dir(t.world.Socket(node))
		open = append(open, filepath.Dir(run), run)
	}
	for _, folder := range open {
		if err := os.Chmod(folder, 0o711); err != nil {
			return err
		}
	}
	if err := errors.Join(t.Found(ctx), t.Apply(ctx)); err != nil {
		return err
	}
	making := t.Command(ctx, "node1", "clusterd", "client", "eve", "--role", "viewer", "--out", t.viewer())
	if output, err := making.CombinedOutput(); err != nil {
		return fmt.Errorf("make a viewer: %w: %s", err, output)
	}
	var err error
	t.usual, err = t.failovers(ctx, usualRounds)
	fmt.Printf("         a failover takes %s without an attack\n", t.usual.Round(time.Millisecond))
	return err
}

// viewer is the folder of a viewer's certificate.
func (t *town) viewer() string { return filepath.Join(t.folder, "viewer") }

func loadClient(folder string) (*pki.Identity, error) {
	key, err := os.ReadFile(filepath.Join(folder, "client.key"))
	if err != nil {
		return nil, err
	}
	var chain []byte
	for _, file := range []string{"client.pem", "ca.pem"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return nil, err
		}
		if !strings.Contains(string(chain), string(text)) {
			chain = append(chain, text...)
		}
	}
	parsed, err := pki.ParseKey(key)
	if err != nil {
		return nil, err
	}
	return pki.NewIdentity(parsed, chain)
}

// failovers is the median of so many.
func (t *town) failovers(ctx context.Context, count int) (time.Duration, error) {
	var all []time.Duration
	for range count {
		took, err := t.failover(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// failover takes the power of the host where the VM runs, and returns when the VM runs elsewhere.
func (t *town) failover(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	if _, err := t.until(ctx, "vm:web runs on "+lost, func(status api.Status) bool {
		return runsOn(status, lost) && len(stage.OnlineNodes(status)) == 3 && status.Leader != lost
	}); err != nil {
		return 0, err
	}
	rest(ctx, calm)
	began := time.Now()
	if err := t.world.CutPower(lost); err != nil {
		return 0, err
	}
	ended, err := t.until(ctx, "vm:web runs on node2", func(status api.Status) bool { return runsOn(status, "node2") })
	return ended.Sub(began), errors.Join(err, t.world.Boot(ctx, lost))
}

func runsOn(status api.Status, node string) bool {
	return slices.ContainsFunc(status.Services, func(one api.Service) bool {
		return one.Name == "vm:web" && one.StateText == "started" && one.Owner == node
	})
}

// until asks node2, as root there, until something is true, and returns when it was.
func (t *town) until(ctx context.Context, what string, wanted func(api.Status) bool) (time.Time, error) {
	client, err := t.Client("node2")
	if err != nil {
		return time.Time{}, err
	}
	defer client.Close()
	for {
		status, err := client.Status(ctx, false)
		if err == nil && wanted(status) {
			return time.Now(), nil
		}
		if ctx.Err() != nil {
			return time.Time{}, fmt.Errorf("wait until %s: %w (last answer: %v)", what, ctx.Err(), err)
		}
		rest(ctx, 20*time.Millisecond)
	}
}

// answersRoot wants every daemon to answer root at once, whatever crowds it.
func answersRoot(ctx context.Context, t *town) error {
	for _, node := range []string{"node1", "node2"} {
		client, err := t.Client(node)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err = client.Status(ctx, true)
		cancel()
		client.Close()
		if err != nil {
			return fmt.Errorf("root gets no answer from %s: %w", node, err)
		}
	}
	return nil
}

// address is where a node's port for the others is.
func (t *town) address(node string) string {
	for line := range strings.SplitSeq(t.world.NodeSettings(node), "\n") {
		if port, is := strings.CutPrefix(line, "port: "); is {
			return net.JoinHostPort("127.0.0."+strings.TrimPrefix(node, "node"), port)
		}
	}
	return ""
}

// victims is what a crowd gets to know.
func (t *town) victims(ctx context.Context) (crowdOf, error) {
	c := crowdOf{Ports: map[string]string{}, Pages: map[string]string{}, Metrics: t.metrics, Sockets: map[string]string{},
		Cookies: map[string]string{}, Viewer: t.viewer(), Beats: t.haunting}
	for _, node := range t.Nodes() {
		c.Ports[node], c.Pages[node] = t.address(node), t.page(node)
		if node == lost {
			continue
		}
		c.Sockets[node] = t.world.Socket(node)
		var err error
		if c.Cookies[node], err = t.logIn(ctx, node, "viewer", "eve"); err != nil {
			return c, err
		}
	}
	return c, nil
}

// size is the largest memory and log of a daemon, in bytes.
type size struct{ memory, log int64 }

// sizes looks at the two daemons that are never without power.
func (t *town) sizes() (size, error) {
	var largest size
	for _, node := range []string{"node1", "node2"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.world.Pid(node)))
		if err != nil {
			return largest, err
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
				kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					return largest, err
				}
				largest.memory = max(largest.memory, kib<<10)
			}
		}
		info, err := os.Stat(t.world.Log(node))
		if err != nil {
			return largest, err
		}
		largest.log = max(largest.log, info.Size())
	}
	return largest, nil
}
