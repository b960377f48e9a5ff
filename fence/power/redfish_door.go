package power

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// requestLimit bounds one request, connecting included; a command may wait
	// for the answer whether it is still wanted, so it gets more.
	// There are boards that take six seconds for every answer.
	requestLimit   = 12 * time.Second
	commandLimit   = 15 * time.Second
	connectLimit   = 3 * time.Second
	handshakeLimit = 10 * time.Second
	// largestAnswer bounds what is read of one answer, maxRequests what one
	// call may ask: a list that points to itself would be followed forever.
	largestAnswer = 1 << 20
	maxRequests   = 40
)

var (
	errNotRedfish  = errors.New("what answers there is not a Redfish service")
	errWhichSystem = errors.New("the BMC manages several systems and none is named uniquely")
	errElsewhere   = errors.New("the BMC points to another host, where nothing is sent")
	errNoReset     = errors.New("the BMC offers no such power command")
)

// statusError is an answer that refuses.
type statusError struct {
	method, path string
	status       int
	detail       string
}

// Error names the request and quotes the BMC.
func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s was answered with status %d: %s", e.method, e.path, e.status, e.detail)
}

// system is what fencing needs of a Redfish ComputerSystem.
type system struct {
	ID         string `json:"@odata.id"`
	Type       string `json:"@odata.type"`
	Name       string
	UUID       string
	PowerState string
	Actions    struct {
		Reset struct {
			Target  string   `json:"target"`
			Info    string   `json:"@Redfish.ActionInfo"`
			Allowed []string `json:"ResetType@Redfish.AllowableValues"`
		} `json:"#ComputerSystem.Reset"`
	}
}

// offers tells why a command cannot be given. A board that lists no values is
// asked by sending the command.
func (s system) offers(word string) error {
	allowed := s.Actions.Reset.Allowed
	if len(allowed) > 0 && !slices.Contains(allowed, word) {
		return fmt.Errorf("%w: %s is not among %s", errNoReset, word, strings.Join(allowed, ", "))
	}
	return nil
}

// target is the path to which power commands are sent.
func (s system) target() string {
	told := s.Actions.Reset.Target
	if strings.HasPrefix(told, "/") && !strings.HasPrefix(told, "//") {
		return told
	}
	return strings.TrimSuffix(s.ID, "/") + "/Actions/ComputerSystem.Reset"
}

// door stands between the library and the wire. The library knows no context,
// gives its reasons as text and reads answers of any size; the door holds the
// deadline of the call under way, remembers why a request failed and what the
// BMC told of its systems, and lets nothing pass to another host.
type door struct {
	address   string
	transport *http.Transport

	mu      sync.Mutex
	present *visit
	// pass is the header that proves the login.
	passName, passValue string
}

// visit is what happens during one call. A request that outlives its call
// leaves its traces there, and not in the next call.
type visit struct {
	ctx context.Context

	mu       sync.Mutex
	requests int
	cause    error
}

func newDoor(s settings) *door {
	d := &door{address: net.JoinHostPort(s.host, strconv.Itoa(s.port))}
	d.transport = &http.Transport{
		DialContext:     (&net.Dialer{Timeout: connectLimit}).DialContext,
		TLSClientConfig: s.trust.config(s.host), TLSHandshakeTimeout: handshakeLimit,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
	}
	if s.basic {
		d.remember("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.username+":"+s.password)))
	}
	d.enter(context.Background())
	return d
}

// enter begins a call; requests belong to it until the next one begins.
func (d *door) enter(ctx context.Context) *visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.present = &visit{ctx: ctx}
	return d.present
}

// because prefers what the door saw to the library's text, which buries it.
func (v *visit) because(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cause != nil {
		return v.cause
	}
	return err
}

func (v *visit) failed(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cause == nil {
		v.cause = err
	}
	return err
}

// RoundTrip implements http.RoundTripper.
func (d *door) RoundTrip(request *http.Request) (*http.Response, error) {
	d.mu.Lock()
	v := d.present
	d.mu.Unlock()
	response, err := d.roundTrip(v, request)
	if err != nil {
		return nil, v.failed(err)
	}
	return response, nil
}

func (d *door) roundTrip(v *visit, request *http.Request) (*http.Response, error) {
	if err := d.admit(v, request); err != nil {
		return nil, err
	}
	limit := requestLimit
	if request.Method == http.MethodPost {
		limit = commandLimit
	}
	ctx, cancel := context.WithTimeout(request.Context(), limit)
	defer cancel()
	defer context.AfterFunc(v.ctx, cancel)()
	own := request.Clone(ctx)
	// The library asks for a new connection for each request; a login to some
	// boards takes a second for the handshake alone.
	own.Close = false
	d.identify(own)
	response, err := d.transport.RoundTrip(own)
	if err != nil {
		if v.ctx.Err() != nil {
			err = v.ctx.Err()
		}
		return nil, describeTLS(err)
	}
	d.remember("X-Auth-Token", response.Header.Get("X-Auth-Token"))
	return v.examine(request, response)
}

// admit counts a request and refuses what leads elsewhere.
func (d *door) admit(v *visit, request *http.Request) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	switch {
	case v.ctx.Err() != nil:
		return v.ctx.Err()
	case v.requests > maxRequests:
		return fmt.Errorf("%w: it sends the reader around in circles", errNotRedfish)
	case request.URL.Scheme != "https" || request.URL.Host != d.address:
		return errElsewhere
	}
	return nil
}

// identify notes how the library proves its login and does the same for a
// request of ours.
func (d *door) identify(request *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range []string{"X-Auth-Token", "Authorization"} {
		if value := request.Header.Get(name); value != "" {
			d.passName, d.passValue = name, value
			return
		}
	}
	if d.passName != "" {
		request.Header.Set(d.passName, d.passValue)
	}
}

// remember keeps what a login was answered with: the next question may be ours.
func (d *door) remember(name, value string) {
	if value == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passName, d.passValue = name, value
}

// examine reads an answer whole, within the limit and the deadline, and keeps
// what it tells.
func (v *visit) examine(request *http.Request, response *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	_ = response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read its answer to %s: %w", request.URL.Path, err)
	}
	if len(body) > largestAnswer {
		return nil, fmt.Errorf("%w: its answer to %s is larger than %d bytes", errNotRedfish, request.URL.Path, largestAnswer)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	redirected := response.StatusCode >= 300 && response.StatusCode < 400 && request.Method == http.MethodGet
	if response.StatusCode < 300 && request.Method == http.MethodGet {
		err = v.learn(request.URL.Path, body)
	} else if response.StatusCode >= 300 && !redirected {
		err = refusalOf(request, response.StatusCode, body)
	}
	if err != nil {
		_ = v.failed(err)
	}
	return response, nil
}

// learn refuses what is not Redfish at all.
func (v *visit) learn(path string, body []byte) error {
	if !json.Valid(body) {
		return fmt.Errorf("%w: its answer to %s cannot be read: %s", errNotRedfish, path, clip(body))
	}
	return nil
}

// refusalOf tells a refused login from a wrong place and from other refusals.
func refusalOf(request *http.Request, status int, body []byte) error {
	told := &statusError{method: request.Method, path: request.URL.Path, status: status, detail: wordsOf(body)}
	login := request.Method == http.MethodPost && !strings.Contains(request.URL.Path, "/Actions/")
	switch {
	case strings.Contains(told.detail, "SessionLimit"):
		// The password may be right; nothing speaks against another try.
		return told
	case status == http.StatusUnauthorized,
		login && (status == http.StatusForbidden || status == http.StatusBadRequest):
		return fmt.Errorf("%w: %w", errLoginRefused, told)
	case status == http.StatusNotFound && strings.Trim(request.URL.Path, "/") == "redfish/v1":
		return fmt.Errorf("%w: %w", errNotRedfish, told)
	}
	return told
}

// wordsOf takes the sentences out of a Redfish error (DSP0266, error
// responses); what is none is quoted as it is.
func wordsOf(body []byte) string {
	type message struct {
		ID   string `json:"MessageId"`
		Text string `json:"Message"`
	}
	var told struct {
		Error struct {
			Message string    `json:"message"`
			More    []message `json:"@Message.ExtendedInfo"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &told); err != nil || (told.Error.Message == "" && len(told.Error.More) == 0) {
		return clip(body)
	}
	if len(told.Error.More) == 0 {
		return clip([]byte(told.Error.Message))
	}
	var words []string
	for _, m := range told.Error.More[:min(len(told.Error.More), 3)] {
		words = append(words, strings.TrimSpace(m.Text+" ("+m.ID+")"))
	}
	return clip([]byte(strings.Join(words, " ")))
}

func clip(text []byte) string {
	return string(text[:min(len(text), maxDetail)])
}

// CloseIdleConnections lets http.Client close what is open.
func (d *door) CloseIdleConnections() { d.transport.CloseIdleConnections() }

// gatedBody asks whether the command is still wanted at the last moment: when
// the connection stands and the bytes are due (law L6). Connecting may take
// seconds, in which an intent can end.
type gatedBody struct {
	text      string
	permitted func() error
	asked     bool
	rest      io.Reader
}

// Read returns the command, or the reason why it is no longer to be sent.
func (b *gatedBody) Read(p []byte) (int, error) {
	if !b.asked {
		b.asked = true
		if err := b.permitted(); err != nil {
			b.rest = failing{err}
		} else {
			b.rest = strings.NewReader(b.text)
		}
	}
	return b.rest.Read(p)
}

// failing is a reader that only has a reason.
type failing struct{ err error }

// Read returns the reason.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
