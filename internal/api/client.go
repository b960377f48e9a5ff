package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/plain"
)

// DefaultSocket is where the daemon listens for local tools.
const DefaultSocket = "/run/clusterd/clusterd.sock"

// DefaultPort is where the daemon listens for remote tools.
const DefaultPort = "7440"

// Environment variables that choose the daemon to talk to.
const (
	SocketVariable   = "CLUSTERD_SOCKET"
	HostVariable     = "CLUSTERD_HOST"
	IdentityVariable = "CLUSTERD_IDENTITY"
)

const (
	// largestAnswer bounds what the client reads of one answer; a backup is the largest.
	largestAnswer = 256 << 20
	// answerWithin bounds one exchange that does not wait on purpose.
	answerWithin = 15 * time.Second
	dialWithin   = 5 * time.Second
)

// ErrNoDaemon is returned when the daemon could not be reached at all: nothing was sent.
var ErrNoDaemon = errors.New("could not connect to clusterd")

// Options choose the daemon. The zero value takes the environment's choice, and the local socket
// without one.
type Options struct {
	// Socket is the path of a local daemon's socket.
	Socket string
	// Host is a remote daemon, HOST or HOST:PORT; it wins over Socket.
	Host string
	// Identity is the folder with ca.pem, client.pem and client.key; ~/.config/clusterd by default.
	Identity string
	// Folder is the data folder of this host's daemon, for the words about one that is not there.
	Folder string
}

// Client talks to one daemon. It may be used by several goroutines.
type Client struct {
	base  string
	where string
	http  *http.Client
	local bool
	// folder is the data folder of this host's daemon; empty where that is not known.
	folder string
}

// NewClient makes a client. Nothing is dialled yet; for a remote daemon the identity's files are
// read.
func NewClient(options Options) (*Client, error) {
	// What was given by flag wins over the environment, also over its other variable.
	if options.Socket == "" && options.Host == "" {
		options.Socket, options.Host = os.Getenv(SocketVariable), os.Getenv(HostVariable)
	}
	if options.Host != "" {
		return newRemoteClient(options)
	}
	socket := options.Socket
	if socket == "" {
		socket = localSocket(NodePath)
		if options.Folder == "" {
			options.Folder = defaultFolder
		}
	}
	dialer := net.Dialer{Timeout: dialWithin}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
		MaxIdleConns:       2,
		IdleConnTimeout:    30 * time.Second,
	}
	return &Client{base: "http://clusterd", where: socket, http: &http.Client{Transport: transport}, local: true,
		folder: options.Folder}, nil
}

// Close releases idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Where is the socket's path or the remote address, for messages.
func (c *Client) Where() string { return c.where }

// Local reports whether the daemon is this host's, reached by its socket.
func (c *Client) Local() bool { return c.local }

// Get asks for a path and decodes the answer into out, which may be nil. The error is a Failure
// when the daemon answered with one, and wraps ErrNoDaemon when it could not be reached.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, out)
}

// Post sends a body and decodes the answer into out, which may be nil. Errors are those of Get.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	return c.call(ctx, http.MethodPost, path, nil, body, out)
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, out any) error {
	return c.callWithin(ctx, answerWithin+waitOf(query), method, path, query, body, out)
}

func (c *Client) callWithin(ctx context.Context, limit time.Duration, method, path string, query url.Values, body,
	out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.URL.RawQuery = query.Encode()
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.connectionError(err)
	}
	defer response.Body.Close()
	return c.read(response, out)
}

// waitOf is how long the daemon was asked to wait before it answers.
func waitOf(query url.Values) time.Duration {
	wait, err := time.ParseDuration(query.Get("wait"))
	if err != nil || wait < 0 {
		return 0
	}
	return wait
}

func (c *Client) read(response *http.Response, out any) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("the connection to clusterd (%s) broke off in the middle of its answer: %w", c.where, err)
	case len(text) > largestAnswer:
		return fmt.Errorf("clusterd (%s) answered with more than %d bytes", c.where, largestAnswer)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return c.failure(response, text)
	}
	switch into := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = text
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("clusterd (%s) answered something that is not understood (is it another version?): %w",
			c.where, err)
	}
	// Names, reasons and the words of BMCs and agents end up on terminals, by many ways.
	plain.Scrub(out)
	return nil
}

// failure decodes the answer of a daemon that says no; what is not a Failure is told as it is.
func (c *Client) failure(response *http.Response, text []byte) error {
	var failure Failure
	if err := json.Unmarshal(text, &failure); err == nil && failure.Message != "" {
		plain.Scrub(&failure)
		return failure
	}
	said := plain.Text(strings.TrimSpace(string(text)))
	if len(said) > 200 {
		said = said[:200] + "..."
	}
	return Failure{Code: "http_" + strconv.Itoa(response.StatusCode),
		Message: fmt.Sprintf("clusterd (%s) answered %s: %s", c.where, response.Status, said)}
}

// connectionError tells apart "nothing was sent" from "nobody knows".
func (c *Client) connectionError(err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer of clusterd (%s) came in time: %w", c.where, err)
	}
	var operation *net.OpError
	if !errors.As(err, &operation) || operation.Op != "dial" {
		return fmt.Errorf("the connection to clusterd (%s) broke off: %w", c.where, err)
	}
	reason := operation.Err.Error()
	var number syscall.Errno
	if errors.As(err, &number) {
		reason = number.Error()
	}
	return &connectFailure{reason: reason, advice: c.advice(err), cause: err}
}

// advice says what to do about a daemon that cannot be reached.
func (c *Client) advice(err error) string {
	switch {
	case !c.local:
		return "Check that clusterd runs on " + c.where + " and that its port is reachable from here."
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		return "Only root and the socket's group may use " + c.where + "; run this as root, " +
			"join the group (clusterd, if there is one), or use a client certificate with --host."
	}
	if why := notAMember(c.folder); why != "" {
		return why
	}
	return "It does not seem to run on this host (" + c.where + "). Start it with: systemctl start clusterd"
}

// connectFailure is ErrNoDaemon with a reason and an advice.
type connectFailure struct {
	reason, advice string
	cause          error
}

func (f *connectFailure) Error() string   { return "Could not connect to clusterd: " + f.reason }
func (f *connectFailure) Unwrap() []error { return []error{ErrNoDaemon, f.cause} }

// Advice says what to do about an error of a Client, or nothing.
func Advice(err error) string {
	var failure *connectFailure
	if errors.As(err, &failure) {
		return failure.advice
	}
	return ""
}

// Status asks for the cluster's state; fresh asks for a linearizable read, which needs a quorum.
func (c *Client) Status(ctx context.Context, fresh bool) (Status, error) {
	return c.status(ctx, fresh, url.Values{})
}

// StatusWithNext is Status, with the node that each service would take next.
func (c *Client) StatusWithNext(ctx context.Context, fresh bool) (Status, error) {
	return c.status(ctx, fresh, url.Values{"next": {"1"}})
}

func (c *Client) status(ctx context.Context, fresh bool, query url.Values) (Status, error) {
	if fresh {
		query.Set("fresh", "1")
	}
	var status Status
	err := c.Get(ctx, PathStatus, query, &status)
	return status, err
}

// EventQuery chooses events.
type EventQuery struct {
	// After is the index after which events are wanted; 0 is from the oldest kept.
	After uint64
	// Service and Node choose events about them; empty chooses all.
	Service, Node string
	// Code is a code, or a pattern such as fence-*; empty chooses all.
	Code string
	// Limit is how many of the newest are wanted; 0 leaves it to the daemon.
	Limit int
	// Wait lets the daemon wait for an event when there is none yet.
	Wait time.Duration
}

func (q EventQuery) values() url.Values {
	values := url.Values{}
	set := func(name, value string, wanted bool) {
		if wanted {
			values.Set(name, value)
		}
	}
	set("after", strconv.FormatUint(q.After, 10), q.After > 0)
	set("service", q.Service, q.Service != "")
	set("node", q.Node, q.Node != "")
	set("code", q.Code, q.Code != "")
	set("limit", strconv.Itoa(q.Limit), q.Limit > 0)
	set("wait", q.Wait.String(), q.Wait > 0)
	return values
}

// Events asks for a page of the timeline, oldest first.
func (c *Client) Events(ctx context.Context, query EventQuery) (Events, error) {
	var page Events
	err := c.Get(ctx, PathEvents, query.values(), &page)
	return page, err
}

// Moves asks for the live moves of a service, or of all, from or to a node, or anywhere.
func (c *Client) Moves(ctx context.Context, service, node string) ([]MoveOf, error) {
	var page Moves
	err := c.Get(ctx, PathMoves, EventQuery{Service: service, Node: node}.values(), &page)
	return page.Moves, err
}

// followWait is how long one question for new events is left open.
const followWait = 10 * time.Second

// Follow calls show for each page of new events until the context ends, which is not an error. A
// daemon that cannot be reached for a while is asked again: complain hears of it once per
// outage. The error is the Failure of a daemon that refuses.
func (c *Client) Follow(ctx context.Context, query EventQuery, show func([]cluster.Event), complain func(error)) error {
	query.Wait, query.Limit = followWait, 0
	down := false
	for ctx.Err() == nil {
		asked := time.Now()
		page, err := c.Events(ctx, query)
		var failure Failure
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &failure) && !passing(failure):
			return err
		case err != nil:
			if !down {
				complain(err)
			}
			down = true
			if !pause(ctx, time.Second) {
				return nil
			}
		default:
			down = false
			if len(page.Events) > 0 {
				show(page.Events)
				query.After = page.Events[len(page.Events)-1].Index
			} else if time.Since(asked) < time.Second && !pause(ctx, time.Second) {
				// The daemon did not wait; asking in a tight circle would only warm it.
				return nil
			}
		}
	}
	return nil
}

// pause waits, and returns false when the context ended first.
func pause(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
