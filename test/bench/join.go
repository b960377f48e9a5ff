package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

const (
	askJoinEvery = 10 * time.Millisecond
	joinPatience = 60 * time.Second
)

// joined are the moments of one node, counted from the start of its `clusterd join`. A node that is
// no voter in the end has no voter.
type joined struct {
	began                   time.Time
	command, online, voting time.Duration
}

// joining measures how long `clusterd join` takes until the node is online, and until it votes, in
// clusters of three and of seven. The daemons and their log are real; the machines are pretended.
func joining(ctx context.Context, tools string) error {
	figure := "figure:"
	for _, size := range []int{3, 7} {
		times, err := measureJoins(ctx, tools, size)
		if err != nil {
			return fmt.Errorf("%d nodes: %w", size, err)
		}
		fmt.Printf("\n%d nodes, simulated machines on one of %d processors, from the start of clusterd join\n", size,
			runtime.NumCPU())
		slowest := time.Duration(0)
		for number := 2; number <= size; number++ {
			name := fmt.Sprintf("node%d", number)
			j := times[name]
			votes := "no voter"
			if j.voting > 0 {
				votes = fmt.Sprintf("voter %6d ms", j.voting.Milliseconds())
			}
			fmt.Printf("  %s  command %5d ms  online %6d ms  %s\n", name, j.command.Milliseconds(),
				j.online.Milliseconds(), votes)
			slowest = max(slowest, j.online)
		}
		last := fmt.Sprintf("node%d", min(size, mostVoters))
		figure += fmt.Sprintf(" join%d_online_ms=%d join%d_voter_ms=%d", size, slowest.Milliseconds(), size,
			times[last].voting.Milliseconds())
	}
	fmt.Println(figure)
	return nil
}

// mostVoters is how many nodes of a cluster vote.
const mostVoters = 5

func measureJoins(ctx context.Context, tools string, size int) (times map[string]joined, err error) {
	world, err := stage.NewSimulatedOf(tools, size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	ctx, stop := context.WithTimeout(ctx, time.Duration(size)*joinPatience)
	defer stop()
	var mu sync.Mutex
	times = map[string]joined{}
	c := &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "join"}}
	c.Typed = func(node, command string, result stage.Result) {
		if command == "clusterd join" {
			mu.Lock()
			defer mu.Unlock()
			times[node] = joined{began: time.Now().Add(-result.Took), command: result.Took}
		}
	}
	look := func() {
		status, err := c.StatusOf(ctx, "node1")
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, n := range status.Nodes {
			note(times, n)
		}
	}
	looking, end := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for looking.Err() == nil {
			look()
			pause(looking, askJoinEvery)
		}
	})
	err = c.Found(ctx)
	if err == nil {
		_, err = c.Wait(ctx, "the voters vote", func(s api.Status) bool { return voters(s) == min(size, mostVoters) })
	}
	look()
	end()
	group.Wait()
	return times, err
}

// note keeps when a node was first seen to be online, and to vote.
func note(times map[string]joined, n api.Node) {
	j, joins := times[n.Name]
	if !joins {
		return
	}
	if j.online == 0 && n.State == "online" {
		j.online = time.Since(j.began)
	}
	if j.voting == 0 && n.Voter {
		j.voting = time.Since(j.began)
	}
	times[n.Name] = j
}

func voters(status api.Status) int {
	count := 0
	for _, n := range status.Nodes {
		if n.Voter {
			count++
		}
	}
	return count
}
