package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// Cluster is a cluster of clusterd on a world.
type Cluster struct {
	World
	Plan Plan
	// Typed is told each command that founding types, with what it said; it may be nil.
	Typed func(node, command string, result Result)
}

// patience bounds waits that have no deadline of their own.
const patience = 90 * time.Second

// typed runs a command that has to succeed, and shows it.
func (c *Cluster) typed(ctx context.Context, node string, argv ...string) error {
	began := time.Now()
	output, err := must(ctx, c.World, node, argv...)
	if err == nil {
		c.show(node, strings.Join(argv, " "), Result{Output: output, Took: time.Since(began)})
	}
	return err
}

func (c *Cluster) show(node, command string, result Result) {
	if c.Typed != nil {
		c.Typed(node, command, result)
	}
}

// join takes a node in. The token goes from one command's output to the other's input: it is a
// secret, so it is neither shown nor put on a command line.
func (c *Cluster) join(ctx context.Context, inviting, node string) error {
	began := time.Now()
	token, err := c.Command(ctx, inviting, "clusterd", "token").Output()
	if err != nil {
		return fmt.Errorf("make a token on %s: %w%s", inviting, err, complaint(err))
	}
	c.show(inviting, "clusterd token", Result{Took: time.Since(began), Output: "(the token is not shown)\n"})
	began = time.Now()
	command := c.Command(ctx, node, "clusterd", "join")
	command.Stdin = bytes.NewReader(token)
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("join %s: %w: %s", node, err, tail(string(output), 5))
	}
	c.show(node, "clusterd join", Result{Took: time.Since(began), Output: string(output)})
	return nil
}

// complaint is what a failed command said.
func complaint(err error) string {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return ": " + tail(string(exit.Stderr), 5)
	}
	return ""
}

// Found makes the first node a cluster, and lets the others join.
func (c *Cluster) Found(ctx context.Context) error {
	nodes := c.Nodes()
	first := nodes[0]
	if err := c.typed(ctx, first, "clusterd", "init", "--name", c.Plan.Cluster); err != nil {
		return err
	}
	if err := c.StartDaemon(ctx, first); err != nil {
		return err
	}
	online := func(count int) func(api.Status) bool {
		return func(s api.Status) bool { return len(OnlineNodes(s)) == count }
	}
	if _, err := c.Wait(ctx, first+" is online", online(1)); err != nil {
		return err
	}
	for number, node := range nodes[1:] {
		if err := c.join(ctx, first, node); err != nil {
			return err
		}
		if err := c.StartDaemon(ctx, node); err != nil {
			return err
		}
		if _, err := c.Wait(ctx, node+" is online", online(number+2)); err != nil {
			return err
		}
	}
	return nil
}

// Apply gives the cluster its document.
func (c *Cluster) Apply(ctx context.Context) error {
	first := c.Nodes()[0]
	passwordFile, err := c.WriteFile(first, "bmc-password", c.Device(first).Password+"\n")
	if err != nil {
		return err
	}
	file, err := c.WriteFile(first, "cluster.yaml", documentText(c.World, c.Plan, passwordFile))
	if err != nil {
		return err
	}
	return c.typed(ctx, first, "clusterd", "config", "apply", file)
}

// Forget takes the cluster away: the machines boot anew with empty data folders, so that Found
// can begin again on them.
func (c *Cluster) Forget(ctx context.Context) error {
	problems := make([]error, len(c.Nodes()))
	var group sync.WaitGroup
	for number, node := range c.Nodes() {
		group.Go(func() { problems[number] = c.forget(ctx, node) })
	}
	group.Wait()
	return errors.Join(problems...)
}

func (c *Cluster) forget(ctx context.Context, node string) error {
	if c.Powered(node) {
		if err := c.StopDaemon(ctx, node); err != nil {
			return err
		}
	}
	// A boot ends the forwarder too, which would go on with the old cluster's certificate.
	if err := c.CutPower(node); err != nil {
		return err
	}
	if err := c.Wipe(node); err != nil {
		return err
	}
	return c.Boot(ctx, node)
}

// Client is a client of one node's daemon. A node that booted has another socket, so clients are
// not kept.
func (c *Cluster) Client(node string) (*api.Client, error) {
	return api.NewClient(api.Options{Socket: c.Socket(node)})
}

// Status asks the leader, or else any node that answers: only the leader knows what is waited for.
func (c *Cluster) Status(ctx context.Context) (api.Status, error) {
	var best api.Status
	problem := errors.New("no node has power")
	answered := false
	for _, node := range c.Nodes() {
		if !c.Powered(node) {
			continue
		}
		status, err := c.StatusOf(ctx, node)
		if err != nil {
			problem = err
			continue
		}
		if !answered || status.Leader == node {
			best, answered = status, true
		}
	}
	if !answered {
		return best, problem
	}
	return best, nil
}

// StatusOf asks one node.
func (c *Cluster) StatusOf(ctx context.Context, node string) (api.Status, error) {
	client, err := c.Client(node)
	if err != nil {
		return api.Status{}, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return client.Status(ctx, false)
}

// Events are the newest events of the timeline after an index, as one node has them.
func (c *Cluster) Events(ctx context.Context, node string, after uint64) ([]cluster.Event, error) {
	client, err := c.Client(node)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	page, err := client.Events(ctx, api.EventQuery{After: after, Limit: 5000})
	return page.Events, err
}

// Wait waits until the cluster is as wanted. The error tells what it was instead.
func (c *Cluster) Wait(ctx context.Context, what string, wanted func(api.Status) bool) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := c.Status(ctx)
		if err == nil && wanted(status) {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, fmt.Errorf("waited in vain until %s: %s (%w)", what, Describe(status, err), ctx.Err())
		case <-ticker.C:
		}
	}
}

// Describe tells a status in one line.
func Describe(status api.Status, err error) string {
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, node := range status.Nodes {
		words = append(words, strings.TrimSpace(node.Name+" "+node.State+" "+node.Unprotected))
	}
	for _, service := range status.Services {
		words = append(words, fmt.Sprintf("%s %s on %q %s", service.Name, service.StateText, service.Owner, service.Reason))
	}
	for _, note := range status.Notes {
		words = append(words, "note on "+note.Subject+": "+note.Why.String())
	}
	return strings.Join(append(words, status.Warnings...), "; ")
}

// OnlineNodes are the names of the nodes that are online.
func OnlineNodes(status api.Status) []string {
	var names []string
	for _, node := range status.Nodes {
		if node.Online && node.State == string(cluster.NodeOnline) {
			names = append(names, node.Name)
		}
	}
	return names
}

// AllStarted reports whether every service runs and nothing is under way.
func AllStarted(status api.Status) bool {
	for _, service := range status.Services {
		if service.StateText != "started" {
			return false
		}
	}
	return len(status.Services) > 0
}

// Protected reports whether every node could be fenced.
func Protected(status api.Status) bool {
	for _, node := range status.Nodes {
		if node.Unprotected != "" {
			return false
		}
	}
	return len(status.Nodes) > 0
}

// Owner is the node that runs a service, empty unless it is started.
func Owner(status api.Status, service string) string {
	for _, s := range status.Services {
		if s.Name == service && s.StateText == "started" {
			return s.Owner
		}
	}
	return ""
}

// LogTail is the end of a node's daemon log.
func (c *Cluster) LogTail(node string, lines int) string {
	text, err := os.ReadFile(c.Log(node))
	if err != nil {
		return err.Error()
	}
	return tail(string(text), lines)
}
