package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// clients are the attacks of those who were given a certificate, or may write the document.
var clients = []attack{
	{"a viewer whose certificate was revoked reads on where he was reading", revokedStreams},
	{"an administrator sends documents that are bombs", documentBombs},
	{"an administrator names a program that others may change", changedProgram},
}

// streamsEach is how many streams the viewer has open at each node.
const streamsEach = 3

// revokedStreams opens streams at every node and revokes the certificate at one.
func revokedStreams(ctx context.Context, s *site) error {
	t, err := s.town(ctx)
	if err != nil {
		return err
	}
	// Another attack may have ended with a host that boots.
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := t.until(waiting, "all are online", func(status api.Status) bool {
		return len(stage.OnlineNodes(status)) == len(t.Nodes())
	}); err != nil {
		return err
	}
	c := crowdOf{Ports: map[string]string{}, Viewer: filepath.Join(t.folder, "mallory")}
	making := t.Command(ctx, "node1", "clusterd", "client", "mallory", "--role", "viewer", "--out", c.Viewer)
	if output, err := making.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: make a viewer: %w: %s", errUntried, err, output)
	}
	open := map[string][]net.Conn{}
	defer func() {
		for _, all := range open {
			for _, conn := range all {
				conn.Close()
			}
		}
	}()
	for _, node := range t.Nodes() {
		c.Ports[node] = t.address(node)
		for range streamsEach {
			conn, err := c.stream(ctx, node)
			if err != nil {
				return fmt.Errorf("%w: %s has no stream for a viewer: %w", errUntried, node, err)
			}
			open[node] = append(open[node], conn)
		}
	}
	revoking := t.Command(ctx, "node1", "clusterd", "client", "mallory", "--revoke")
	if output, err := revoking.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	until := time.Now().Add(3 * time.Second)
	for node, all := range open {
		for _, conn := range all {
			conn.SetReadDeadline(until)
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("%s tells him on what happens", node)
			}
		}
		if conn, err := c.stream(ctx, node); err == nil {
			conn.Close()
			return fmt.Errorf("%s lets him in again", node)
		}
	}
	return nil
}

// stream is a stream of the timeline at a node, by the viewer's certificate, which has begun.
func (c crowdOf) stream(ctx context.Context, node string) (net.Conn, error) {
	dial, err := c.asViewer(ctx, node)
	if err != nil {
		return nil, err
	}
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: clusterd\r\nAccept: text/event-stream\r\n\r\n", api.PathEvents)
	if err == nil {
		var answer *http.Response
		answer, err = http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// documentBombs sends short documents that would become much memory or time, and large ones. Each
// is refused, at once, by daemons that stay what they are.
func documentBombs(ctx context.Context, s *site) error {
	t, err := s.town(ctx)
	if err != nil {
		return err
	}
	before, err := t.sizes()
	if err != nil {
		return err
	}
	pids := map[string]int{"node1": t.world.Pid("node1"), "node2": t.world.Pid("node2")}
	for _, node := range []string{"node1", "node2"} {
		for what, text := range documentsThatExplode() {
			if err := t.refusesDocument(ctx, node, text); err != nil {
				return fmt.Errorf("%s, sent to %s: %w", what, node, err)
			}
		}
	}
	for node, pid := range pids {
		if now := t.world.Pid(node); now != pid {
			return fmt.Errorf("clusterd on %s ended (process %d, now %d)", node, pid, now)
		}
	}
	after, err := t.sizes()
	if err != nil {
		return err
	}
	if grown := after.memory - before.memory; grown > mostMemory {
		return fmt.Errorf("a daemon grew by %d MiB", grown>>20)
	}
	return answersRoot(ctx, t)
}

// documentsThatExplode are by what they are.
func documentsThatExplode() map[string]string {
	const begin = "cluster: town\n"
	var keys, laughs strings.Builder
	for i := range 500_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	laughs.WriteString(begin + "a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	entities := `<!DOCTYPE domain [<!ENTITY a0 "xxxxxxxxxx">`
	for i := range 9 {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
		entities += fmt.Sprintf(`<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	entities += "]><domain type='kvm'><name>&a9;</name></domain>"
	return map[string]string{
		"resources in resources": begin + "services:\n  web:\n    resources: " +
			strings.Repeat("[{type: lsb:x, resources: ", 2500) + strings.Repeat("}]", 2500) + "\n",
		"many keys":      begin + keys.String(),
		"many lists":     begin + "x: [" + strings.Repeat("[],", 1<<20) + "]\n",
		"deep lists":     begin + "x: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		"aliases":        laughs.String(),
		"entities":       begin + "services:\n  vm:x:\n    definition: " + entities + "\n",
		"deep elements":  begin + "services:\n  vm:x:\n    definition: " + strings.Repeat("<domain>", 50_000) + "\n",
		"one long word":  begin + "x: " + strings.Repeat("x", 12<<20) + "\n",
		"too large":      begin + "x: " + strings.Repeat("x", 20<<20) + "\n",
		"a great number": begin + "timing: {suspect: 1" + strings.Repeat("0", 1<<20) + "h}\n",
		"nothing":        "\x00\xff",
	}
}

// refusesDocument sends a document on trial: what is not refused would be taken, and is not.
func (t *town) refusesDocument(ctx context.Context, node, text string) error {
	client, err := t.Client(node)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	document, err := client.Config(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	reply, err := client.ChangeConfig(ctx, api.ConfigChange{Base: document.Version, Text: text, DryRun: true})
	var refused api.Failure
	switch {
	case err == nil && reply.Refused == "":
		return errors.New("it would be taken")
	case err != nil && !errors.As(err, &refused):
		return fmt.Errorf("there is no answer after %s: %w", time.Since(began).Round(time.Millisecond), err)
	}
	return nil
}

// documents sends them to the nodes that keep their power, one at a time in all: what an
// administrator makes one daemon compute costs a processor of that host, and here all share two.
func documents(ctx context.Context, c crowdOf) error {
	bombs := documentsThatExplode()
	for ctx.Err() == nil {
		for _, socket := range c.Sockets {
			client, err := api.NewClient(api.Options{Socket: socket})
			if err != nil {
				return err
			}
			for _, text := range bombs {
				// What becomes of it is looked at elsewhere.
				_, _ = client.ChangeConfig(ctx, api.ConfigChange{Text: text, DryRun: true})
				rest(ctx, 20*time.Millisecond)
			}
			client.Close()
		}
	}
	return nil
}

// changedProgram has alerts told by programs: one that is as it should be, which has to be run, and
// then the same one while others may change it or put another in its place.
func changedProgram(ctx context.Context, s *site) (err error) {
	t, err := s.town(ctx)
	if err != nil {
		return err
	}
	folder := filepath.Join(t.folder, "programs")
	program, ran := filepath.Join(folder, "page"), filepath.Join(t.folder, "ran")
	script := "#!/bin/sh\n: >'" + ran + "'\n"
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(program, []byte(script), 0o755)); err != nil {
		return err
	}
	top := t.Plan.Top
	t.Plan.Top = append(slices.Clone(top), fmt.Sprintf("alerts: {pager: {program: %q, subjects: [\"vm:none\"]}}", program))
	defer func() {
		t.Plan.Top = top
		err = errors.Join(err, t.Apply(ctx))
	}()
	if err := t.Apply(ctx); err != nil {
		return fmt.Errorf("%w: %w", errUntried, err)
	}
	if ranNow, err := t.pages(ctx, ran); err != nil || !ranNow {
		return fmt.Errorf("%w: as it should be it was not run (%v)", errUntried, err)
	}
	changes := []struct {
		what string
		path string
		mode os.FileMode
	}{
		{"that its group may write", program, 0o775}, {"that all may write", program, 0o757},
		{"in a folder where its group may write", folder, 0o775}, {"in a folder where all may write", folder, 0o757},
	}
	for _, c := range changes {
		usual := errors.Join(os.Chmod(program, 0o755), os.Chmod(folder, 0o755))
		if err := errors.Join(usual, os.Chmod(c.path, c.mode)); err != nil {
			return err
		}
		ranNow, err := t.pages(ctx, ran)
		if err == nil || ranNow || !strings.Contains(err.Error(), "somebody else may change it") {
			return fmt.Errorf("a program %s: run: %v, told: %v", c.what, ranNow, err)
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if err := errors.Join(os.Chmod(folder, 0o755), os.Chown(program, nobody, nobody)); err != nil {
		return err
	}
	if ranNow, err := t.pages(ctx, ran); err == nil || ranNow {
		return fmt.Errorf("a program of another user: run: %v, told: %v", ranNow, err)
	}
	return nil
}

// pages tries the alert and reports whether its program was run, which leaves a file behind.
func (t *town) pages(ctx context.Context, trace string) (ran bool, err error) {
	client, err := t.Client("node1")
	if err != nil {
		return false, err
	}
	defer client.Close()
	_ = os.Remove(trace) // there may be none
	_, err = client.TestAlert(ctx, "pager")
	_, missing := os.Stat(trace)
	return missing == nil, err
}
