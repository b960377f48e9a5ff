package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// The town gets a fourth node and removes it again: whoever has its key has been a member, and says
// of a host without power that it lives.

const (
	ghost = "node4"
	// haunted is how long the pauses of that crowd are: it shares the processors with the town, and a
	// flood of packets is another attack.
	haunted = 10 * time.Millisecond
)

// hauntedTown measures a failover while the removed node forges beats of the host that loses its
// power, and repeats that host's own ones of a session that is over.
func hauntedTown(ctx context.Context, s *site) error {
	t, err := s.town(ctx)
	if err != nil {
		return err
	}
	if t.haunting == nil {
		if err := t.haunt(ctx); err != nil {
			return fmt.Errorf("%w: %w", errUntried, err)
		}
	}
	return crowded(loudly("beats"))(ctx, s)
}

// haunt makes the ghost a member, wants its beats to be read while it is one, and removes it.
func (t *town) haunt(ctx context.Context) error {
	key, err := t.joinGhost(ctx)
	if err != nil {
		return err
	}
	var found []shower
	for _, node := range t.Nodes() {
		if node == lost {
			continue
		}
		own, err := t.pairKey(key, node)
		if err != nil {
			return err
		}
		mine := shower{From: ghost, To: node, At: t.address(node), Keys: [][]byte{own}, Pause: haunted}
		if err := t.hears(ctx, mine); err != nil {
			return err
		}
		member, err := pki.LoadIdentity(t.world.DataFolder(lost))
		if err != nil {
			return err
		}
		recorded, err := t.pairKey(member.Key, node)
		if err != nil {
			return err
		}
		found = append(found, shower{From: lost, To: node, At: t.address(node), Pause: haunted,
			Keys: [][]byte{nil, make([]byte, 32), own, recorded}})
	}
	removing := t.Command(ctx, "node1", "clusterd", "node", "remove", ghost)
	if output, err := removing.CombinedOutput(); err != nil {
		return fmt.Errorf("remove %s: %w: %s", ghost, err, output)
	}
	t.haunting = found
	return nil
}

// ghostAddress has the port that the members have: each takes the others to hear beats where it
// does itself.
func (t *town) ghostAddress() string {
	_, port, _ := net.SplitHostPort(t.address("node1")) // of a file that the stage wrote
	return net.JoinHostPort("127.0.0.4", port)
}

// joinGhost brings in a machine that has a key, and nothing else.
func (t *town) joinGhost(ctx context.Context) (*pki.NodeKey, error) {
	client, err := t.Client("node1")
	if err != nil {
		return nil, err
	}
	defer client.Close()
	reply, err := client.Token(ctx, api.TokenRequest{Validity: 10 * time.Minute})
	if err != nil {
		return nil, err
	}
	token, err := pki.ParseToken(reply.Text)
	if err != nil {
		return nil, err
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	asked := machine(token, t.ghostAddress())
	if err := sign(&asked, key, ghost); err != nil {
		return nil, err
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	code, answer, err := knock(ctx, t.address("node1"), body)
	if err != nil || code/100 != 2 {
		return nil, fmt.Errorf("%s is not let join: %d %.300s (%w)", ghost, code, answer, err)
	}
	return key, nil
}

// pairKey is the key of beats between the owner of a private key and a node.
func (t *town) pairKey(own *pki.NodeKey, other string) ([]byte, error) {
	theirs, err := pki.LoadIdentity(t.world.DataFolder(other)) // of which only the public half is used
	if err != nil {
		return nil, err
	}
	return own.PairKey(theirs.Key.PublicKey(), theirs.ClusterID, heartbeats)
}

// hears sends beats until their target answers one where the pretended sender is.
func (t *town) hears(ctx context.Context, s shower) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	heard, hangUp, err := answers(t.ghostAddress())
	if err != nil {
		return err
	}
	defer hangUp()
	sent := make(chan error, 1)
	go func() { sent <- s.send(ctx) }()
	select {
	case <-heard:
		cancel()
		return <-sent
	case <-ctx.Done():
		return errors.Join(<-sent, fmt.Errorf("%s does not answer the beats of %s while that is a member", s.To, s.From))
	}
}

// beats are sent as they were made up.
func beats(ctx context.Context, c crowdOf) error {
	if len(c.Beats) == 0 {
		return errors.New("there are no beats to send")
	}
	var group sync.WaitGroup
	problems := make([]error, len(c.Beats))
	for i, s := range c.Beats {
		group.Go(func() { problems[i] = s.send(ctx) })
	}
	group.Wait()
	return errors.Join(problems...)
}
