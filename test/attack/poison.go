package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// forwarded is how long an entry may be, with its tag; see the log's own limit.
const forwarded = 8<<20 + 16

// What a request to the leader begins with, and what its answer says.
const (
	channelForward = 2
	kindPropose    = 1
	outcomeTaken   = 0
	outcomeUnfit   = 6
)

// poisoners are the attacks with a member's own key: entries that would end every member at
// every start.
var poisoners = []attack{
	poisonous("an unknown command", `[{"v":1,"kind":"no-such-command","body":{}}]`),
	poisonous("a known command of a newer shape", `[{"v":7,"kind":"ask","body":{}}]`),
	poisonous("bytes that are no entry", "\x00\x01\x02"),
	poisonous("a command whose body is another thing", `[{"v":1,"kind":"configure","body":[1,2,3]}]`),
	poisonous("rules of a level that nobody knows", `[{"v":1,"kind":"raise-level","body":{"level":99}}]`),
	poisonous("a backup with rules that nobody knows",
		`[{"v":1,"kind":"restore","body":{"node":"node1","state":{"id":"x","cluster":"x","level":99}}}]`),
	poisonous("a hundred thousand commands in one entry",
		"["+strings.Repeat(`{"v":1,"kind":"arm","body":{}},`, 100_000)+`{"v":1,"kind":"arm","body":{}}]`),
	poisonous("brackets in brackets",
		`[{"v":1,"kind":"configure","body":{"document":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"}}]"),
	{"an entry that is larger than any may be", tooLarge},
	{"a request of an unknown kind", unknownRequest},
	{"a channel that there is not", unknownChannel},
}

func poisonous(what, entry string) attack {
	return attack{what + " is forwarded to the leader", func(ctx context.Context, s *site) error {
		pids := s.pids()
		conn, err := s.toLeader(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		body := append(make([]byte, 16), entry...)
		copy(body, time.Now().Format("150405.000000000"))
		if _, err := conn.Write(request(kindPropose, len(body), body)); err != nil {
			return err
		}
		answer := make([]byte, 13)
		if _, err := io.ReadFull(conn, answer); err != nil {
			return fmt.Errorf("the leader gave no answer: %w", err)
		}
		if answer[0] != outcomeUnfit {
			return fmt.Errorf("the leader answered %d (%d is: taken)", answer[0], outcomeTaken)
		}
		return s.sameProcesses(pids)
	}}
}

// request is one of the forward channel, after the channel's byte.
func request(kind byte, length int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{channelForward, kind}, uint32(length)), body...)
}

// tooLarge announces four gigabytes and sends none.
func tooLarge(ctx context.Context, s *site) error {
	return s.hungUp(ctx, request(kindPropose, forwarded+1, nil))
}

func unknownChannel(ctx context.Context, s *site) error { return s.hungUp(ctx, []byte{200}) }

// hungUp wants the leader to end the connection for these bytes, soon.
func (s *site) hungUp(ctx context.Context, bytes []byte) error {
	pids := s.pids()
	conn, err := s.toLeader(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(bytes); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("the leader goes on waiting for more")
	}
	return s.sameProcesses(pids)
}

func unknownRequest(ctx context.Context, s *site) error {
	pids := s.pids()
	conn, err := s.toLeader(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(request(99, 0, nil)); err != nil {
		return err
	}
	answer := make([]byte, 13)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("the leader gave no answer: %w", err)
	}
	if answer[0] == outcomeTaken {
		return errors.New("the leader took it")
	}
	return s.sameProcesses(pids)
}

// toLeader is a connection to the leader with the other member's own key.
func (s *site) toLeader(ctx context.Context) (net.Conn, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, node := range s.members {
		if node == status.Leader {
			continue
		}
		identity, err := pki.LoadIdentity(s.world.DataFolder(node))
		if err != nil {
			return nil, err
		}
		conn, err := s.reach(ctx, identity, status.Leader, protocolQuorum)
		if err == nil {
			conn.SetDeadline(time.Now().Add(10 * time.Second))
		}
		return conn, err
	}
	return nil, fmt.Errorf("there is no member beside the leader %s", status.Leader)
}

// pids are the processes of the members' daemons.
func (s *site) pids() map[string]int {
	found := map[string]int{}
	for _, node := range s.members {
		found[node] = s.world.Pid(node)
	}
	return found
}

// sameProcesses wants no daemon to have ended.
func (s *site) sameProcesses(before map[string]int) error {
	for node, pid := range before {
		if now := s.world.Pid(node); now != pid {
			return fmt.Errorf("clusterd on %s ended (process %d, now %d)", node, pid, now)
		}
	}
	return nil
}
