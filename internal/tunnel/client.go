package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout   = 10 * time.Second
	requestTimeout = 5 * time.Second
	// respawnEvery brakes the restart of a forwarder that keeps dying.
	respawnEvery = time.Second
)

// Client is the daemon's hold on its node's forwarder. It keeps a connection
// open, so that the forwarder knows of the daemon, and starts another
// forwarder when the running one dies.
type Client struct {
	config Config
	argv   []string
	quit   chan struct{}
	done   chan struct{}
	once   sync.Once

	mu   sync.Mutex
	conn net.Conn
	// old is since when an older forwarder has been left in its place; zero where there is none.
	old time.Time
}

// Ensure finds the running forwarder of Config.Dir or starts one with argv (no
// shell, in its own session, its output in forward.log). It returns when the
// forwarder answers.
func Ensure(ctx context.Context, config Config, argv []string) (*Client, error) {
	c := &Client{config: config.withDefaults(), argv: argv, quit: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	go c.keep()
	return c, nil
}

// Open makes the way of one act to a node.
func (c *Client) Open(ctx context.Context, node, address, act string) (Route, error) {
	got, err := c.ask(ctx, request{Op: "open", Node: node, Address: address, Act: act})
	if err != nil {
		return Route{}, fmt.Errorf("open the way to %s: %w", node, err)
	}
	return got.Route, nil
}

// Release ends the way of one act; open streams go on.
func (c *Client) Release(act string) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if _, err := c.ask(ctx, request{Op: "release", Act: act}); err != nil {
		c.config.Logger.Warn("releasing a migration's way failed; it ends by itself", "act", act, "error", err)
	}
}

// Status asks the forwarder about itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	got, err := c.ask(ctx, request{Op: "hello", Version: Version})
	return got.Status, err
}

// Close lets go of the forwarder, which goes on.
func (c *Client) Close() error {
	c.once.Do(func() { close(c.quit) })
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// ask repeats a request once on a new connection: the old one may have died
// with its forwarder unnoticed.
func (c *Client) ask(ctx context.Context, asked request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.askLocked(ctx, asked)
}

func (c *Client) askLocked(ctx context.Context, asked request) (reply, error) {
	got, err := c.exchange(asked)
	if err != nil {
		if err := c.connectLocked(ctx); err != nil {
			return reply{}, err
		}
		if got, err = c.exchange(asked); err != nil {
			return reply{}, err
		}
	}
	if got.Error != "" {
		return reply{}, errors.New(got.Error)
	}
	return got, nil
}

func (c *Client) exchange(asked request) (reply, error) {
	if c.conn == nil {
		return reply{}, errors.New("no connection to the forwarder")
	}
	got, err := exchange(c.conn, asked)
	if err != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	return got, err
}

func exchange(conn net.Conn, asked request) (reply, error) {
	_ = conn.SetDeadline(time.Now().Add(requestTimeout))
	if err := writeLine(conn, asked); err != nil {
		return reply{}, fmt.Errorf("ask the forwarder: %w", err)
	}
	var got reply
	if err := readLine(conn, controlLimit, &got); err != nil {
		return reply{}, fmt.Errorf("hear the forwarder: %w", err)
	}
	return got, nil
}

func (c *Client) connect(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connectLocked(ctx)
}

// fits says whether a forwarder may be ours: one that goes on at an address that this node no
// longer has is reached by nobody.
func (c *Client) fits(got reply) bool { return got.Version == Version && c.isHere(got) }

func (c *Client) isHere(got reply) bool {
	return c.config.Listen == "" || got.Status.Listen == c.config.Listen
}

// mayGoOn says whether an older forwarder stays for now: an old one cuts its streams some time
// after it is retired, and a way that is open may be about to be used. A move of much memory takes
// long.
func (c *Client) mayGoOn(got reply, now time.Time) bool {
	return got.Version >= oldestKept && got.Version < Version && c.isHere(got) &&
		got.Status.Streams+got.Status.Routes > 0 && (c.old.IsZero() || now.Sub(c.old) < c.config.KeepOld)
}

// goOn leaves an older forwarder in its place.
func (c *Client) goOn(conn net.Conn, got reply) {
	c.conn = conn
	if c.old.IsZero() {
		c.old = time.Now()
		c.config.Logger.Info("an older forwarder goes on until what it carries has ended", "version", got.Version,
			"pid", got.Status.PID, "streams", got.Status.Streams, "routes", got.Status.Routes)
	}
}

// look starts a forwarder where none answers, and in the place of an older one that no longer
// carries anything.
func (c *Client) look(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	got, err := c.askLocked(ctx, request{Op: "hello", Version: Version})
	if err != nil || c.fits(got) || c.mayGoOn(got, time.Now()) {
		return err
	}
	return c.connectLocked(ctx)
}

// connectLocked finds a forwarder that speaks our version where we are, or starts one.
func (c *Client) connectLocked(ctx context.Context) error {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	conn, got, err := hello(c.config.controlPath())
	if err == nil && c.fits(got) {
		c.conn = conn
		return nil
	}
	if err == nil && c.mayGoOn(got, time.Now()) {
		c.goOn(conn, got)
		return nil
	}
	c.old = time.Time{}
	if err == nil {
		c.config.Logger.Info("retiring a forwarder of another version or address", "version", got.Version,
			"address", got.Status.Listen, "pid", got.Status.PID)
		_, _ = exchange(conn, request{Op: "retire"})
		_ = conn.Close()
	}
	started, err := c.start()
	if err != nil {
		return err
	}
	return c.waitFor(ctx, started)
}

// child is a forwarder that this client has started.
type child struct {
	pid   int
	ended <-chan error
}

func hello(path string) (net.Conn, reply, error) {
	conn, err := net.DialTimeout("unix", path, requestTimeout)
	if err != nil {
		return nil, reply{}, err
	}
	got, err := exchange(conn, request{Op: "hello", Version: Version})
	if err != nil {
		_ = conn.Close()
		return nil, reply{}, err
	}
	return conn, got, nil
}

// start runs the forwarder in a session of its own. Its output goes to a file:
// a pipe to this process would break, and kill it, when this process ends.
func (c *Client) start() (child, error) {
	if len(c.argv) == 0 {
		return child{}, errors.New("no forwarder is running, and no command to start one was given")
	}
	if err := os.MkdirAll(c.config.Dir, 0o711); err != nil {
		return child{}, fmt.Errorf("start the forwarder: %w", err)
	}
	output, err := os.OpenFile(c.config.logPath(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return child{}, fmt.Errorf("start the forwarder: %w", err)
	}
	defer output.Close()
	command := exec.Command(c.argv[0], c.argv[1:]...)
	command.Dir = "/"
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return child{}, fmt.Errorf("start the forwarder: %w", err)
	}
	exits := make(chan error, 1)
	go func() { exits <- command.Wait() }()
	return child{pid: command.Process.Pid, ended: exits}, nil
}

// waitFor waits until the forwarder that was started answers. Until the one before it has ended,
// that one may answer; but what the new one says of itself does not change.
func (c *Client) waitFor(ctx context.Context, started child) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if conn, got, err := hello(c.config.controlPath()); err == nil {
			if c.fits(got) {
				c.conn = conn
				return nil
			}
			_ = conn.Close()
			if got.Status.PID == started.pid {
				return fmt.Errorf("the forwarder that was started has version %d and listens at %q, where this daemon needs "+
					"version %d at %q: restart clusterd here, so that both read the same node.yaml and are the same program",
					got.Version, got.Status.Listen, Version, c.config.Listen)
			}
		}
		select {
		case <-ticker.C:
		case err := <-started.ended:
			return fmt.Errorf("the forwarder ended at once (%v): %s", err, tail(c.config.logPath()))
		case <-ctx.Done():
			return fmt.Errorf("the forwarder did not answer at %s: %w: %s", c.config.controlPath(), ctx.Err(),
				tail(c.config.logPath()))
		}
	}
}

// tail returns the end of a log for an error message.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(text) > 500 {
		text = text[len(text)-500:]
	}
	return strings.TrimSpace(string(text))
}

// hearRefusals passes on whom the forwarder sent away, as far as there is time; the rest waits.
func (c *Client) hearRefusals(ctx context.Context) {
	for range 1 + 2*mostRefusals/refusalsAtOnce {
		got, err := c.ask(ctx, request{Op: "refusals"})
		if err != nil || len(got.Refusals) == 0 {
			return // a forwarder that went took them along; its log had them
		}
		for _, one := range got.Refusals {
			c.config.Refused(one)
		}
	}
}

// keep has a forwarder running also when nothing migrates from here, because
// other nodes migrate to here.
func (c *Client) keep() {
	defer close(c.done)
	ticker := time.NewTicker(respawnEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		if err := c.look(ctx); err != nil {
			c.config.Logger.Warn("the forwarder of migrations is not running and could not be started", "error", err)
		} else if c.config.Refused != nil {
			c.hearRefusals(ctx)
		}
		cancel()
	}
}
