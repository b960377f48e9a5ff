package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

const (
	idleSettle = 10 * time.Second
	idleWindow = 30 * time.Second
	// clockTick is Linux's USER_HZ, in which /proc counts CPU time.
	clockTick = 10 * time.Millisecond
)

// usage is what one process has used.
type usage struct {
	residentKiB int
	cpu         time.Duration
}

// idle measures the processes of clusterd while nothing happens.
func idle(ctx context.Context, b *bench) error {
	var services []stage.Service
	for number := 51; number <= 54; number++ {
		services = append(services, stage.Service{Guest: lab.Guest{Name: "idle" + strconv.Itoa(number), Number: number}})
	}
	if err := b.found(ctx, stage.Plan{Cluster: "bench", Services: services}); err != nil {
		return err
	}
	pause(ctx, idleSettle)
	before, err := b.usages()
	if err != nil {
		return err
	}
	began := time.Now()
	pause(ctx, idleWindow)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	window := time.Since(began)
	after, err := b.usages()
	if err != nil {
		return err
	}
	status, err := b.cluster.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("three nodes, four VMs, nothing happens for %s\n", window.Round(time.Second))
	largest, busiest := 0, 0.0
	for _, node := range b.world.Nodes() {
		for _, kind := range []string{"run", "forward"} {
			key := node + " " + kind
			now, known := after[key]
			if !known {
				continue
			}
			percent := 100 * float64(now.cpu-before[key].cpu) / float64(window)
			role := ""
			if node == status.Leader {
				role = " (leader)"
			}
			fmt.Printf("  %-6s clusterd %-8s %6.1f MiB RSS  %5.2f %% of a core%s\n", node, kind, float64(now.residentKiB)/1024,
				percent, role)
			if kind == "run" {
				largest, busiest = max(largest, now.residentKiB), max(busiest, percent)
			}
		}
	}
	fmt.Printf("figure: idle_rss_mib=%.1f idle_cpu_percent=%.2f\n", float64(largest)/1024, busiest)
	return nil
}

// usages finds the daemons and their forwarders through each host's own /proc.
func (b *bench) usages() (map[string]usage, error) {
	found := map[string]usage{}
	for _, host := range b.world.Hosts {
		root := filepath.Join("/proc", strconv.Itoa(host.Pid()), "root/proc")
		processes, err := filepath.Glob(filepath.Join(root, "[0-9]*"))
		if err != nil {
			return nil, err
		}
		for _, process := range processes {
			line, err := os.ReadFile(filepath.Join(process, "cmdline"))
			words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
			if err != nil || !strings.HasSuffix(words[0], "/clusterd") {
				continue
			}
			used, err := usageOf(process)
			if err != nil {
				return nil, err
			}
			found[host.Name+" "+words[len(words)-1]] = used
		}
		if _, running := found[host.Name+" run"]; !running {
			return nil, fmt.Errorf("clusterd does not run on %s", host.Name)
		}
	}
	return found, nil
}

var residentPattern = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`)

func usageOf(process string) (usage, error) {
	status, err := os.ReadFile(filepath.Join(process, "status"))
	if err != nil {
		return usage{}, err
	}
	resident := residentPattern.FindSubmatch(status)
	stat, err := os.ReadFile(filepath.Join(process, "stat"))
	if err != nil {
		return usage{}, err
	}
	// After the name in parentheses come the state and, as 12th and 13th further on, the time in
	// user and system mode.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if resident == nil || len(fields) < 13 {
		return usage{}, fmt.Errorf("%s cannot be understood", process)
	}
	kib, _ := strconv.Atoi(string(resident[1]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return usage{residentKiB: kib, cpu: time.Duration(user+system) * clockTick}, nil
}
