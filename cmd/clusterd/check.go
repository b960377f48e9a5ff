package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// health is what a plugin of Nagios says by its exit code.
type health int

const (
	healthy health = iota
	worrying
	broken
	unclear
)

func (h health) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[h] }

// Bounds of the one line.
const (
	checkPatience = 10 * time.Second
	namesShown    = 3
	sayingShown   = 160
)

// checkAnswer is what a check comes to: its text is one line, and its health the exit code.
type checkAnswer struct {
	health health
	text   string
}

// Error implements error, because the exit code is made from one.
func (v *checkAnswer) Error() string { return "CLUSTERD " + v.health.String() + ": " + v.text }

// asAnswer is what a check that went wrong says: a monitoring system takes any other exit code for
// an answer about the cluster.
func asAnswer(words []string, err error) error {
	var v *checkAnswer
	if err == nil || errors.As(err, &v) || command.First(newApp(), words) != "check" {
		return err
	}
	return &checkAnswer{unclear, oneLine(err)}
}

func checkCommand() *urfave.Command {
	return &urfave.Command{
		Name: "check", Usage: "answer a monitoring system in one line",
		Description: "For Nagios, Icinga and others that start plugins. Exit code 0: OK, 1: WARNING, 2: CRITICAL, " +
			"3: UNKNOWN. CRITICAL is what does not work now: no quorum, a service that failed, a node that is out of touch. " +
			"WARNING is what will not work, or waits for a person. UNKNOWN: nobody answered in time, or the options are wrong.",
		Flags: []urfave.Flag{
			&urfave.DurationFlag{Name: "wait", Usage: "answer within `TIME`", Value: checkPatience,
				DefaultText: "10 s"},
			&urfave.IntFlag{Name: "reserve", DefaultText: "not asked",
				Usage: "warn when fewer than `N` hosts may be lost at once, 1 to 3"},
		},
		Action: check,
	}
}

func check(c *urfave.Context) error {
	if hosts := c.Int("reserve"); c.IsSet("reserve") && (hosts < 1 || hosts > rehearse.MostLost) {
		return &checkAnswer{unclear, fmt.Sprintf("--reserve is %d; write a number from 1 to %d", hosts, rehearse.MostLost)}
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("wait"))
	defer cancel()
	asked := make(chan *checkAnswer, 1)
	// Whatever is asked may hang where its deadline does not reach; the answer comes in time.
	go func() { asked <- examined(ctx, c) }()
	v := &checkAnswer{unclear, fmt.Sprintf("nothing answered within %s", c.Duration("wait"))}
	select {
	case v = <-asked:
	case <-ctx.Done():
		select {
		case v = <-asked:
		case <-time.After(100 * time.Millisecond):
		}
	}
	return v
}

// examined asks what the daemon knows, and then that it is the newest. A cluster without a quorum
// cannot say the second.
func examined(ctx context.Context, c *urfave.Context) *checkAnswer {
	client, err := command.Connect(c)
	if err != nil {
		return &checkAnswer{unclear, oneLine(err)}
	}
	defer client.Close()
	status, err := client.Status(ctx, false)
	if err != nil {
		return &checkAnswer{unclear, oneLine(err)}
	}
	if status.Quorate {
		if status, err = client.Status(ctx, true); err != nil {
			return &checkAnswer{unclear, "a leader is known, and nobody says what is true now: " + oneLine(err)}
		}
	}
	var reserve *api.ReserveReply
	if wanted := c.Int("reserve"); wanted > 0 && status.Quorate {
		reply, err := client.Reserve(ctx, wanted)
		if err != nil {
			return &checkAnswer{unclear, "how many hosts may be lost is not known: " + oneLine(err)}
		}
		reserve = &reply
	}
	return judge(status, reserve)
}

// judge says how a cluster is; its reserve where that was asked for.
func judge(status api.Status, reserve *api.ReserveReply) *checkAnswer {
	if !status.Quorate {
		return &checkAnswer{broken, status.Cluster + ": NO QUORUM: nothing is started, moved or fenced; see clustat on " +
			status.Local + " | quorum=0;;1:;0;1"}
	}
	var found findings
	n, s := found.nodes(status.Nodes), found.services(status.Services)
	if status.Disarmed != "" {
		found.add(worrying, "fencing is disarmed: %s", status.Disarmed)
	}
	if status.Lock != nil {
		found.add(worrying, "the cluster is locked by %s", status.Lock.By)
	}
	waiting := found.notes(status.Notes)
	figure := ""
	if reserve != nil {
		found.reserve(*reserve)
		figure = fmt.Sprintf(" hosts_that_may_be_lost=%d;%d:;;0;%d", reserve.Hosts, reserve.Asked, reserve.Asked)
	}
	if len(status.Warnings) > 0 {
		found.add(worrying, "%s warns: %s", status.Local, status.Warnings[0])
	}
	if len(found.list) == 0 {
		found.list = []string{fmt.Sprintf("%d nodes online and protected, %d services run", n.online, s.run)}
	}
	text := fmt.Sprintf("%s: %s | quorum=1;;1:;0;1 nodes_online=%d;;;0;%d nodes_unprotected=%d;0;;0;%d "+
		"services_running=%d;;;0;%d services_failed=%d;;0;0;%d services_waiting=%d;0;;0;%d waiting_for_person=%d;0;;0",
		status.Cluster, strings.Join(found.list, "; "), n.online, n.all, n.bare, n.all, s.run, s.all, s.failed, s.all,
		s.waiting, s.all, waiting)
	return &checkAnswer{found.worst, text + figure}
}

// reserve holds what may be lost against what was asked for.
func (f *findings) reserve(r api.ReserveReply) {
	if r.Hosts >= r.Asked {
		return
	}
	why := "too few voters would be left"
	switch {
	case len(r.Lost) == 0:
		why = "there was no time to try more"
	case len(r.Short) > 0:
		why = fmt.Sprintf("without %s, %s has no place", strings.Join(r.Lost, " and "), r.Short[0].Service)
	default:
		why = fmt.Sprintf("without %s %s", strings.Join(r.Lost, " and "), why)
	}
	f.add(worrying, "%d of %d hosts may be lost: %s", r.Hosts, r.Asked, why)
}

// findings are what is not as it should be, the worst first.
type findings struct {
	worst health
	list  []string
}

func (f *findings) add(h health, format string, arguments ...any) {
	said := cut(cli.Clean(fmt.Sprintf(format, arguments...)))
	if h > f.worst {
		f.worst, f.list = h, append([]string{said}, f.list...)
		return
	}
	f.list = append(f.list, said)
}

type nodeCount struct{ all, online, bare int }

func (f *findings) nodes(nodes []api.Node) (n nodeCount) {
	var away, bare []string
	for _, node := range nodes {
		ordered := node.Order != nil && node.Order.Order == "maintenance"
		n.all++
		switch {
		case node.Online:
			n.online++
		case node.State != "left" && !ordered: // those are away on purpose
			away = append(away, node.Name+" "+node.State)
		}
		if node.Unprotected != "" && !node.Witness && node.Online {
			n.bare++
			bare = append(bare, node.Name)
		}
	}
	if len(away) > 0 {
		f.add(broken, "%d of %d nodes out of touch: %s", len(away), n.all, few(away))
	}
	if len(bare) > 0 {
		f.add(worrying, "%d of %d nodes unprotected: %s", len(bare), n.all, few(bare))
	}
	return n
}

type serviceCount struct{ all, run, failed, waiting int }

func (f *findings) services(services []api.Service) (s serviceCount) {
	var failed, waiting, paused []string
	for _, service := range services {
		s.all++
		switch service.StateText {
		case "started", "migrating":
			s.run++
		case "failed":
			s.failed++
			failed = append(failed, service.Name)
		case "stopped", "recoverable", "recovering", "uninitialized":
			s.waiting++
			waiting = append(waiting, service.Name)
		}
		if service.Paused != "" {
			paused = append(paused, service.Name)
		}
	}
	if s.failed > 0 {
		f.add(broken, "%d services failed: %s", s.failed, few(failed))
	}
	if len(paused) > 0 {
		f.add(broken, "%d services paused: %s", len(paused), few(paused))
	}
	if s.waiting > 0 {
		f.add(worrying, "%d services do not run yet: %s", s.waiting, few(waiting))
	}
	return s
}

// notes counts what a person can do something about.
func (f *findings) notes(notes []cluster.Note) (waiting int) {
	first := ""
	for _, n := range notes {
		if n.Next.IsZero() {
			continue
		}
		if waiting++; first == "" {
			first = n.Subject + ": " + n.Why.String()
		}
	}
	if waiting > 0 {
		f.add(worrying, "%d notes wait for a person: %s", waiting, first)
	}
	return waiting
}

func few(names []string) string {
	if more := len(names) - namesShown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:namesShown], ", "), more)
	}
	return strings.Join(names, ", ")
}

// cut bounds what is said of one thing, and keeps the mark out that the figures begin with.
func cut(said string) string {
	said = strings.ReplaceAll(said, "|", "/")
	if len(said) > sayingShown {
		return strings.ToValidUTF8(said[:sayingShown], "") + "..."
	}
	return said
}

func oneLine(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "nothing answered in time"
	}
	return cut(strings.Join(strings.Fields(strings.ReplaceAll(command.Describe(err), "\n", ". ")), " "))
}
