package watchdog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Client is the daemon's way to its keeper. It is safe for concurrent use;
// words are taken in the order of the calls only if the caller makes them one
// after the other.
type Client struct {
	options KeeperOptions
	argv    []string
}

const (
	// longestWord bounds a word without a deadline of its own; arming takes the
	// time in which a slot is allocated on each disk.
	longestWord = 20 * time.Second
	// longestStart bounds a keeper's start.
	longestStart = 5 * time.Second
	betweenTries = 20 * time.Millisecond
)

// Start finds the keeper of an earlier daemon or starts one, by argv with the
// options as the last argument. It does not arm. An error is returned when a
// keeper runs with other settings: free the node and stop it first.
func Start(ctx context.Context, options KeeperOptions, argv []string) (*Client, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	c := &Client{options: options, argv: argv}
	ctx, cancel := context.WithTimeout(ctx, longestStart)
	defer cancel()
	if _, err := c.State(ctx); err != nil {
		if err := c.spawn(); err != nil {
			return nil, fmt.Errorf("the watchdog keeper could not be started: %w", err)
		}
	}
	for {
		state, err := c.State(ctx)
		if err == nil {
			return c, c.suits(state)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the watchdog keeper does not answer: %w", err)
		case <-time.After(betweenTries):
		}
	}
}

// suits reports whether a keeper that was found does what is asked for now.
func (c *Client) suits(state State) error {
	same := slices.Equal(state.Disks, c.options.Disks) && (!state.Armed || state.Info.Device == c.options.Device &&
		state.Info.Timeout == c.options.Timeout)
	if !same {
		return fmt.Errorf("the watchdog is armed with other settings (%s, %v, disks %v); they change when the node is "+
			"free and the keeper was stopped", state.Info.Device, state.Info.Timeout, state.Disks)
	}
	return nil
}

func (c *Client) spawn() error {
	text, err := json.Marshal(c.options)
	if err != nil {
		return err
	}
	program := exec.Command(c.argv[0], append(slices.Clone(c.argv[1:]), string(text))...)
	program.Dir = "/"
	program.Stderr = os.Stderr
	// A session of its own: what ends the daemon's does not end the keeper.
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := program.Start(); err != nil {
		return err
	}
	go func() { _ = program.Wait() }()
	return nil
}

// Lease arms the watchdog and lets it be petted until an instant of Now. It
// returns ErrNotAsAsked, ErrStalePill or ErrPilled when the node may not hold
// services.
func (c *Client) Lease(ctx context.Context, until time.Duration) error {
	_, err := c.say(ctx, word{Kind: wordLease, Until: until})
	return err
}

// Free arms the watchdog and lets it be petted without a lease, because the
// node holds nothing. Errors are Lease's.
func (c *Client) Free(ctx context.Context) error {
	_, err := c.say(ctx, word{Kind: wordFree})
	return err
}

// Stop disarms the watchdog and ends the keeper. ErrHolding is returned when
// the last word was a lease, ErrNoWayOut when the watchdog cannot be disarmed.
func (c *Client) Stop(ctx context.Context) error {
	_, err := c.say(ctx, word{Kind: wordStop})
	return err
}

// Yield ends petting for good: an armed watchdog resets this host within its
// timeout. A keeper that is not armed never will be.
func (c *Client) Yield(ctx context.Context) error {
	_, err := c.say(ctx, word{Kind: wordYield})
	return err
}

// Find returns a client of the keeper that an earlier daemon left, whatever it was
// started with. ErrNoKeeper is returned when none answers.
func Find(ctx context.Context, socket string) (*Client, State, error) {
	c := &Client{options: KeeperOptions{Socket: socket}}
	state, err := c.State(ctx)
	if err != nil {
		return nil, State{}, fmt.Errorf("%w: %w", ErrNoKeeper, err)
	}
	return c, state, nil
}

// ErrNoKeeper is returned by Find.
var ErrNoKeeper = errors.New("no watchdog keeper answers")

// State asks how the keeper stands.
func (c *Client) State(ctx context.Context) (State, error) {
	return c.say(ctx, word{Kind: wordState})
}

func (c *Client) say(ctx context.Context, w word) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, longestWord)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.options.Socket)
	if err != nil {
		return State{}, fmt.Errorf("the watchdog keeper cannot be reached: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := writeLine(conn, w); err != nil {
		return State{}, fmt.Errorf("the watchdog keeper does not listen: %w", err)
	}
	scanner := lines(conn)
	if !scanner.Scan() {
		return State{}, fmt.Errorf("the watchdog keeper did not answer: %w",
			errors.Join(scanner.Err(), ctx.Err(), errors.New("connection closed")))
	}
	var t tellBack
	if err := json.Unmarshal(scanner.Bytes(), &t); err != nil {
		return State{}, fmt.Errorf("the watchdog keeper answered what cannot be read: %w", err)
	}
	return t.State, t.err()
}
