package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// world stands for the network and the daemon: it answers each exchange of a client without any
// socket, so that pauses and deadlines run in virtual time.
type world func(*http.Request) (*http.Response, error)

func (w world) RoundTrip(request *http.Request) (*http.Response, error) { return w(request) }

func clientOf(w world) *Client {
	return &Client{base: "http://clusterd", where: "the test's socket", http: &http.Client{Transport: w}, local: true}
}

func answer(status int, value any) (*http.Response, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprintf("%d", status),
		Body: io.NopCloser(strings.NewReader(string(text)))}, nil
}

var (
	refusedDial = &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	brokenPipe  = &net.OpError{Op: "read", Net: "unix", Err: syscall.ECONNRESET}
)

// step is one exchange of a script.
type step struct {
	err     error
	failure *Failure
	reply   Reply
}

// script answers one step after the other, the last one forever, and remembers what was asked.
func script(t *testing.T, steps ...step) (*Client, *[]string) {
	t.Helper()
	var asked []string
	return clientOf(func(request *http.Request) (*http.Response, error) {
		call := request.Method + " " + request.URL.Path
		if request.Body != nil {
			var sent Request
			if err := json.NewDecoder(request.Body).Decode(&sent); err != nil {
				t.Error(err)
			}
			call += " " + sent.ID
		}
		asked = append(asked, call)
		s := steps[0]
		if len(steps) > 1 {
			steps = steps[1:]
		}
		switch {
		case s.err != nil:
			return nil, s.err
		case s.failure != nil:
			return answer(503, s.failure)
		}
		return answer(200, s.reply)
	}), &asked
}

func TestDo(t *testing.T) {
	noLeader := &Failure{Code: "no_leader", Message: "there is no leader"}
	unknown := &Failure{Code: "outcome_unknown", Message: "the leader went away"}
	const post, get = "POST /v1/requests x", "GET /v1/requests/x"
	for _, c := range []struct {
		name  string
		steps []step
		asked []string
		code  int
		fault error
	}{
		{"answered at once", []step{{reply: Reply{Done: true}}}, []string{post}, 0, nil},
		{"asked for its end", []step{{}, {}, {reply: Reply{Done: true, Code: -7}}}, []string{post, get, get}, -7, nil},
		{"no daemon: nothing was sent, nothing is repeated", []step{{err: refusedDial}}, []string{post}, 0, ErrNoDaemon},
		{"the answer was lost: the same id again",
			[]step{{err: brokenPipe}, {err: refusedDial}, {reply: Reply{Done: true}}}, []string{post, post, post}, 0, nil},
		{"the leader changed", []step{{failure: unknown}, {failure: noLeader}, {}, {reply: Reply{Done: true}}},
			[]string{post, post, post, get}, 0, nil},
		{"refused", []step{{failure: &Failure{Code: "unknown_service", Message: "no such service"}}}, []string{post}, 0,
			Failure{Code: "unknown_service", Message: "no such service"}},
		{"the daemon restarts in the middle", []step{{}, {err: refusedDial}, {err: refusedDial},
			{reply: Reply{Done: true}}}, []string{post, get, get, get}, 0, nil},
		{"the daemon forgot it", []step{{}, {failure: &Failure{Code: "unknown_request", Message: "no such request"}}},
			[]string{post, get}, 0, ErrOutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, asked := script(t, c.steps...)
				reply, err := client.Do(t.Context(), Request{ID: "x"}, nil)
				var failure Failure
				if !errors.Is(err, c.fault) && !(errors.As(err, &failure) && errors.As(c.fault, &failure)) {
					t.Fatalf("got %v, want %v", err, c.fault)
				}
				if reply.Code != c.code || (err == nil && reply.ID != "x") {
					t.Errorf("got %+v", reply)
				}
				if got, want := strings.Join(*asked, ", "), strings.Join(c.asked, ", "); got != want {
					t.Errorf("asked %s, want %s", got, want)
				}
			})
		})
	}
}

func TestDoGivesUpWithinItsLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
		fault string
		least time.Duration
		most  time.Duration
	}{
		{"never a leader, nothing taken in", []step{{failure: &Failure{Code: "no_leader", Message: "there is no leader"}}},
			"there is no leader", busyFor, busyFor + longestPause},
		{"perhaps taken in", []step{{err: brokenPipe}, {err: refusedDial}}, "outcome unknown", lostFor,
			lostFor + longestPause},
		{"taken in, then nobody answers", []step{{}, {err: refusedDial}}, "outcome unknown", lostFor, lostFor + longestPause},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := script(t, c.steps...)
				began := time.Now()
				_, err := client.Do(t.Context(), Request{}, nil)
				if took := time.Since(began); err == nil || !strings.Contains(err.Error(), c.fault) || took < c.least ||
					took > c.most {
					t.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	for name, c := range map[string]struct {
		steps   []step
		unknown bool
		id      string
	}{
		"under way":        {[]step{{}}, false, "x"},
		"perhaps taken in": {[]step{{err: brokenPipe}}, true, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, _ := script(t, c.steps...)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			reply, err := client.Do(ctx, Request{ID: "x"}, nil)
			if err == nil || errors.Is(err, ErrOutcomeUnknown) != c.unknown || reply.ID != c.id {
				t.Errorf("%s: got %+v, %v", name, reply, err)
			}
		})
	}
}

func TestFailuresOfTheDaemonAreKept(t *testing.T) {
	client := clientOf(func(*http.Request) (*http.Response, error) {
		return answer(400, Failure{Code: "invalid_document", Message: "the document has faults",
			Details: []string{"a:1:1: b"}})
	})
	_, err := client.ChangeConfig(t.Context(), ConfigChange{})
	var failure Failure
	if !errors.As(err, &failure) || failure.Code != "invalid_document" || len(failure.Details) != 1 {
		t.Errorf("got %v", err)
	}
	client = clientOf(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 502, Status: "502 Bad Gateway",
			Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 1000)))}, nil
	})
	if err := client.Get(t.Context(), PathStatus, nil, nil); err == nil ||
		!strings.Contains(err.Error(), "502 Bad Gateway") || len(err.Error()) > 400 {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatNeverComesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := clientOf(func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		})
		began := time.Now()
		_, err := client.Events(t.Context(), EventQuery{Wait: 10 * time.Second})
		if took := time.Since(began); err == nil || took != answerWithin+10*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestFollowAsksFromWhereItIsAndComplainsOncePerOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var after []string
		calls := 0
		client := clientOf(func(request *http.Request) (*http.Response, error) {
			calls++
			after = append(after, request.URL.Query().Get("after"))
			switch {
			case calls == 1:
				return answer(200, Events{Events: []cluster.Event{{Index: 5}, {Index: 7}}})
			case calls < 5:
				return nil, refusedDial
			}
			return answer(200, Events{Events: []cluster.Event{{Index: 9}}})
		})
		complaints, shown := 0, 0
		err := client.Follow(ctx, EventQuery{}, func(events []cluster.Event) {
			if shown += len(events); shown == 3 {
				stop()
			}
		}, func(error) { complaints++ })
		if err != nil || complaints != 1 || shown != 3 || strings.Join(after, ",") != ",7,7,7,7" {
			t.Errorf("got %v, %d complaints, %d events, asked after %q", err, complaints, shown, after)
		}
	})
}

func TestOptionsByFlagWinOverTheEnvironment(t *testing.T) {
	t.Setenv(SocketVariable, "/from/the/environment")
	t.Setenv(HostVariable, "")
	for _, c := range []struct{ flag, want string }{{"", "/from/the/environment"}, {"/by/flag", "/by/flag"}} {
		client, err := NewClient(Options{Socket: c.flag})
		if err != nil || client.Where() != c.want || !client.Local() {
			t.Errorf("got %v, %v, want %s", client, err, c.want)
		}
	}
}

// TestAnAnswerThatDoesNotComeInTimeIsCalledSo, and not a broken connection.
func TestAnAnswerThatDoesNotComeInTimeIsCalledSo(t *testing.T) {
	client, _ := script(t, step{err: context.DeadlineExceeded})
	if err := client.Get(t.Context(), PathStatus, nil, new(Status)); err == nil ||
		!errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer of clusterd") {
		t.Errorf("it is called: %v", err)
	}
}

// A name, a reason and a BMC's words may hold anything; what the tools print must not be obeyed
// by a terminal.
func TestAnswersHoldNothingThatATerminalObeys(t *testing.T) {
	const bad = "node\x1b[31m\u202e\n1"
	client := clientOf(func(*http.Request) (*http.Response, error) {
		return answer(200, Status{Nodes: []Node{{Name: bad, Why: message.Words(bad)}}, Warnings: []string{bad}})
	})
	status, err := client.Status(t.Context(), false)
	const good = "node [31m  1"
	if err != nil || status.Nodes[0].Name != good || status.Nodes[0].Why.String() != good || status.Warnings[0] != good {
		t.Errorf("%+v, %v", status.Nodes, err)
	}
	client = clientOf(func(*http.Request) (*http.Response, error) {
		return answer(409, Failure{Code: "refused", Message: "the BMC says \x1b]0;x\x07", Details: []string{bad}})
	})
	_, err = client.Status(t.Context(), false)
	var failure Failure
	if !errors.As(err, &failure) || failure.Message != "the BMC says  ]0;x " ||
		strings.Contains(failure.Details[0], "\x1b") {
		t.Errorf("%q", err)
	}
	client = clientOf(func(*http.Request) (*http.Response, error) { return answer(200, Document{Text: bad, By: bad}) })
	if document, err := client.Config(t.Context()); err != nil || document.Text != bad || document.By == bad {
		t.Errorf("%+v, %v: the document must stay as it is, and who changed it must not", document, err)
	}
}
