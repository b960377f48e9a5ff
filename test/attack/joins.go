package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// joiners are the attacks of a machine that got hold of a good token, and lies about what it is.
var joiners = []attack{
	{"a machine with a token joins under a name that is a path, or ends a terminal", joining(
		"../../../tmp/x", "..", "a/b", `a\b`, "node9\n", "node\x1b[2J", "-rf", "", "node 9", "n\x00", "nöde",
		strings.Repeat("n", 300))},
	{"a machine with a token joins under a member's name", joining("node2")},
	{"a machine with a token joins as the removed node, with its key", func(ctx context.Context, s *site) error {
		return s.hostile(ctx, func(r *api.JoinRequest) error { return sign(r, s.disk.Key, removed) })
	}},
	{"a machine with a token joins as a member's hardware", func(ctx context.Context, s *site) error {
		return s.hostile(ctx, func(r *api.JoinRequest) error {
			r.HardwareUUID = s.world.HardwareUUID("node2")
			return nil
		})
	}},
	{"a machine with a token joins under a member's address", func(ctx context.Context, s *site) error {
		return s.hostile(ctx, func(r *api.JoinRequest) error {
			r.Address = s.address("node2")
			return nil
		})
	}},
	{"a machine with a token joins under an address that is none", addressed},
	{"a machine with a token has another name certified than it tells", func(ctx context.Context, s *site) error {
		return s.hostile(ctx, func(r *api.JoinRequest) error {
			key, err := pki.NewKey()
			if err != nil {
				return err
			}
			return errors.Join(sign(r, key, "node1"), named(r, "node9"))
		})
	}},
	{"a machine joins with bodies that are bombs", bombs},
	{"a machine guesses at tokens", guesses},
}

func named(r *api.JoinRequest, name string) error {
	r.Node = name
	return nil
}

// sign has a request ask for a certificate under a name.
func sign(r *api.JoinRequest, key *pki.NodeKey, name string) error {
	request, err := pki.NewRequest(key, name)
	r.Node, r.Request = name, string(request)
	return err
}

func joining(names ...string) func(ctx context.Context, s *site) error {
	return func(ctx context.Context, s *site) error {
		for _, name := range names {
			key, err := pki.NewKey()
			if err != nil {
				return err
			}
			if err := s.hostile(ctx, func(r *api.JoinRequest) error { return sign(r, key, name) }); err != nil {
				return fmt.Errorf("the name %.40q: %w", name, err)
			}
		}
		return nil
	}
}

func addressed(ctx context.Context, s *site) error {
	for _, address := range []string{"", ":7440", "0.0.0.0:7440", "[::]:7440", "224.0.0.1:7440", "127.0.0.9:0", "a:b:c",
		"127.0.0.9:99999", "127.0.0.9:7440\n", "../x:7440", "\x1b[2J:7440", strings.Repeat("a", 5000) + ":7440"} {
		if err := s.hostile(ctx, func(r *api.JoinRequest) error {
			r.Address = address
			return nil
		}); err != nil {
			return fmt.Errorf("the address %.40q: %w", address, err)
		}
	}
	return nil
}

// bombs are bodies that are too large, too deep, or nothing that can be read.
func bombs(ctx context.Context, s *site) error {
	pids := s.pids()
	for _, body := range []string{
		`{"node":"` + strings.Repeat("x", 1<<20) + `"}`, strings.Repeat("[", 15_000),
		`{"node":` + strings.Repeat(`{"a":`, 3000),
		"\x00\xff\xfe", "", "null", `{"tokenID":{"$ref":"/"}}`, `{"tokenID":"\ud800","secret":"\u0000"}`,
	} {
		code, answer, err := knock(ctx, s.address(victim), []byte(body))
		if err == nil && code/100 != 4 {
			return fmt.Errorf("a body of %d bytes is answered %d %.200s", len(body), code, answer)
		}
	}
	return errors.Join(s.sameProcesses(pids), s.sameMembers(ctx))
}

// guesses shows tokens that are none; each is refused, and the port lives on.
func guesses(ctx context.Context, s *site) error {
	pids, tried := s.pids(), 0
	for i := range 8 {
		body, err := json.Marshal(api.JoinRequest{TokenID: fmt.Sprintf("%08x", i), Node: "node9",
			Secret: base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("g", 16)))})
		if err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		code, answer, err := knock(short, s.address(victim), body)
		cancel()
		if err != nil {
			break // it knocked too often, and nobody answers any longer
		}
		if code/100 == 2 {
			return fmt.Errorf("guess %d is answered %d %.200s", i, code, answer)
		}
		tried++
	}
	if tried == 0 {
		return fmt.Errorf("no guess was answered: %w", errUntried)
	}
	return errors.Join(s.sameProcesses(pids), s.sameMembers(ctx))
}

// hostile sends a join that is right but for what the change does to it, and wants it refused in
// words that no terminal obeys.
func (s *site) hostile(ctx context.Context, change func(*api.JoinRequest) error) error {
	token, err := s.token(ctx)
	if err != nil {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	asked := machine(token, "127.0.0.9:7440")
	if err := errors.Join(sign(&asked, key, "node9"), change(&asked)); err != nil {
		return err
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	pids := s.pids()
	code, answer, err := knock(ctx, s.address(victim), body)
	if err != nil {
		return fmt.Errorf("%w (%w)", errUntried, err)
	}
	var failure api.Failure
	if code/100 != 4 || json.Unmarshal(answer, &failure) != nil || failure.Code == "bad_token" {
		return fmt.Errorf("it is answered %d %.200s", code, answer)
	}
	log, err := os.ReadFile(s.world.Log(victim))
	if err != nil {
		return err
	}
	if bytes.ContainsRune(append(answer, log...), '\x1b') {
		return errors.New("an escape of a terminal stands in the answer or in the log as it was sent")
	}
	return errors.Join(s.sameProcesses(pids), s.sameMembers(ctx))
}

// machine is what one asks that wants to join, but for its certificate.
func machine(token pki.Token, address string) api.JoinRequest {
	return api.JoinRequest{TokenID: token.ID, Secret: base64.RawURLEncoding.EncodeToString(token.Secret()),
		Address: address, HardwareUUID: "4c4c4544-0000-4000-8000-00000000dead", Version: "attack",
		Level: cluster.CurrentLevel}
}

// token is a good one, which the attacker has from somewhere. Each is made at the same node and
// given back by nobody.
func (s *site) token(ctx context.Context) (pki.Token, error) {
	if s.leaked.ID != "" {
		return s.leaked, nil
	}
	client, err := s.Client(victim)
	if err != nil {
		return pki.Token{}, err
	}
	defer client.Close()
	reply, err := client.Token(ctx, api.TokenRequest{Validity: 10 * time.Minute})
	if err != nil {
		return pki.Token{}, err
	}
	s.leaked, err = pki.ParseToken(reply.Text)
	return s.leaked, err
}

// knocked counts who knocked: each comes from an address of its own, as from a machine of its own.
var knocked int

func anybody() byte {
	knocked++
	return byte(100 + knocked%100)
}

// knock sends one body to a node's port as a machine without a certificate does.
func knock(ctx context.Context, address string, body []byte) (code int, answer []byte, err error) {
	raw, err := from(anybody()).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, nil, err
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn, err := greeted(tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{protocolAPI},
		InsecureSkipVerify: true}))
	if err != nil {
		return 0, nil, err
	}
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	go func() { // an answer may come before all of the body was taken
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: clusterd\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
			api.PathJoin, len(body))
		_, _ = conn.Write(body)
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, answer, err
}

// sameMembers wants nobody to have come in.
func (s *site) sameMembers(ctx context.Context) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, node := range status.Nodes {
		names = append(names, node.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, s.members) {
		return fmt.Errorf("the cluster has %q by now", names)
	}
	return nil
}
