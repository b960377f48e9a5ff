package proof

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/sleep"
)

// reading is one answer of a scripted device: the power, or an error in words.
type reading string

const (
	on, off, odd reading = "on", "off", "unknown"
	noAnswer     reading = "does not answer"
)

// script is a device that answers by a script; the last reading is repeated.
type script struct {
	readings []reading
	// refusals is how many off commands are refused first.
	refusals int
	doubtful []bool
	// foreign from this login on, 0 is never.
	foreign  int
	assumed  bool
	loginErr error
	// careless devices do not ask whether off is still wanted.
	careless bool
	// slow is how long a reading takes, limit how long the attempt may.
	slow, limit time.Duration

	wanted             func() error
	logins, offs, read int
}

func (s *script) String() string { return "device one" }

func (s *script) Connect(_ context.Context, wanted func() error) error {
	s.logins++
	s.wanted = wanted
	return s.loginErr
}

func (s *script) Identify(context.Context) Identity {
	if s.foreign > 0 && s.logins >= s.foreign {
		return Identity{Why: "it belongs to another machine"}
	}
	return Identity{Fit: true, Assumed: s.assumed, Why: "it is node1's"}
}

func (s *script) Off(context.Context) (Sent, error) {
	if !s.careless {
		if err := s.wanted(); err != nil {
			return Sent{}, errors.New("the library lost the reason")
		}
	}
	s.offs++
	if s.offs <= s.refusals {
		return Sent{}, errors.New("refused")
	}
	accepted := s.offs - s.refusals - 1
	return Sent{Doubtful: accepted < len(s.doubtful) && s.doubtful[accepted]}, nil
}

func (s *script) Power(ctx context.Context) (fence.Power, error) {
	answer := s.readings[min(s.read, len(s.readings)-1)]
	s.read++
	if !sleep.For(ctx, s.slow) {
		return fence.PowerUnknown, ctx.Err()
	}
	if answer == noAnswer {
		return fence.PowerOff, errors.New("no answer")
	}
	return fence.Power(answer), nil
}

// usual are terms with which an attempt reads every 100 ms.
func usual() Terms {
	return Terms{Reading: 100 * time.Millisecond, Repeat: time.Second, Suspicion: 2 * time.Second,
		Steady: 3 * time.Second, Connects: 2, Offs: 3, Repeats: 2, Failures: 2, Reconnects: true,
		StaysOn: ": look at the button", Elsewhere: "look at the address"}
}

func wants() fence.Request {
	return fence.Request{Act: "1.2.3", Target: fence.Target{Node: "node1", Boot: "boot-1"},
		StillWanted: func() error { return nil }, SignOfLife: func() bool { return false }}
}

// longest is how long an attempt may take here; it takes no time.
const longest = time.Minute

// tried runs one attempt.
func tried(t *testing.T, s *script, request fence.Request, terms Terms) (result fence.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(s.limit, longest))
		defer cancel()
		result = Fence(ctx, s, request, terms, Clock{Now: time.Now, Pause: sleep.For})
	})
	return result
}

// example is one attempt and what must come of it.
type example struct {
	script  script
	change  func(*fence.Request, *Terms)
	outcome fence.Outcome
	offs    int
	words   string
}

func (e example) check(t *testing.T) {
	request, terms := wants(), usual()
	if e.change != nil {
		e.change(&request, &terms)
	}
	result := tried(t, &e.script, request, terms)
	told := strings.Join(result.Evidence, "\n")
	if result.Outcome != e.outcome || e.script.offs != e.offs || !strings.Contains(told, e.words) {
		t.Errorf("%s after %d off commands, want %s after %d with %q:\n%s", result.Outcome, e.script.offs, e.outcome,
			e.offs, e.words, told)
	}
}

func TestWhatAnAttemptProves(t *testing.T) {
	for name, test := range map[string]example{
		"off twice after our command": {script: script{readings: []reading{on, off}}, outcome: fence.Confirmed, offs: 1,
			words: "accepted our off command"},
		"off is sent also where it reads off": {script: script{readings: []reading{off}}, outcome: fence.Confirmed, offs: 1},
		"a power cycle": {script: script{readings: []reading{off, off, on}}, outcome: fence.Refuted, offs: 3,
			words: "power read off and then on, so the off reading does not count"},
		"off, no answer, off, no answer": {script: script{readings: slices.Repeat([]reading{off, noAnswer}, 200)},
			outcome: fence.Unknown, offs: 1, words: "power read off and then unknown"},
		"neither on nor off": {script: script{readings: []reading{odd}}, outcome: fence.Unknown, offs: 1,
			words: "has not said off twice"},
		"stays on": {script: script{readings: []reading{on}}, outcome: fence.Refuted, offs: 3,
			words: "power still on 2s after off was accepted: look at the button"},
		"never accepts": {script: script{readings: []reading{off}, refusals: 9}, outcome: fence.Unknown, offs: 3,
			words: "not accepted"},
		"accepts at last": {script: script{readings: []reading{off}, refusals: 1}, outcome: fence.Confirmed, offs: 2},
		"another machine's": {script: script{readings: []reading{off}, foreign: 1}, outcome: fence.Unknown,
			words: "another machine"},
		"another machine's after it was silent": {script: script{readings: []reading{noAnswer, noAnswer, off}, foreign: 2},
			outcome: fence.Unknown, offs: 1, words: "lost touch"},
		"silent for a while": {script: script{readings: []reading{noAnswer, noAnswer, off}}, outcome: fence.Confirmed,
			offs: 1},
		"off, then silent, then off once": {script: script{readings: []reading{off, noAnswer, noAnswer, off, on}},
			outcome: fence.Refuted, offs: 3},
		"silent, and cannot be connected anew": {script: script{readings: []reading{noAnswer}}, outcome: fence.Unknown,
			offs: 1, words: "no usable answer for a while",
			change: func(_ *fence.Request, terms *Terms) { terms.Reconnects = false }},
		"a reading that the deadline cuts off": {script: script{readings: []reading{on}, slow: 3 * time.Second,
			limit: 20 * time.Second}, outcome: fence.Refuted, offs: 3, words: "before the time was up, and gave no answer"},
		"may have sent nothing, and reads off": {script: script{readings: []reading{off}, doubtful: []bool{true, true}},
			outcome: fence.Confirmed, offs: 2, words: "power read off all along for 3"},
		"may have sent nothing, and comes on": {script: script{readings: []reading{off, off, off, off, off, on},
			doubtful: []bool{true}}, outcome: fence.Refuted, offs: 3, words: "power read off and then on"},
		"may have sent nothing the second time": {script: script{
			readings: append(slices.Repeat([]reading{on}, 11), off, off, off, off, off, on), doubtful: []bool{false, true}},
			outcome: fence.Refuted, offs: 3, words: "power read off and then on"},
	} {
		t.Run(name, test.check)
	}
}

func TestWhatNobodyAnswersForIsUnknown(t *testing.T) {
	for name, test := range map[string]example{
		"a driver that does not ask": {script: script{readings: []reading{off}, careless: true}, outcome: fence.Unknown,
			offs: 3, words: "did not ask whether off is still wanted"},
		"a sign of life": {script: script{readings: []reading{off}}, outcome: fence.Unknown, offs: 1,
			words:  "was heard from after off was accepted: look at the address",
			change: func(r *fence.Request, _ *Terms) { r.SignOfLife = func() bool { return true } }},
		"not wanted": {script: script{readings: []reading{off}}, outcome: fence.Unknown, words: "it was withdrawn",
			change: func(r *fence.Request, _ *Terms) {
				r.StillWanted = func() error { return errors.New("it was withdrawn") }
			}},
		"nobody says whether it is wanted": {script: script{readings: []reading{off}}, outcome: fence.Unknown,
			words: "nothing was sent", change: func(r *fence.Request, _ *Terms) { r.StillWanted = nil }},
		"nobody says whether it shows life": {script: script{readings: []reading{off}}, outcome: fence.Unknown,
			words: "nothing was sent", change: func(r *fence.Request, _ *Terms) { r.SignOfLife = nil }},
	} {
		t.Run(name, test.check)
	}
}

// A device that answers and does not obey leaves the next node or level time for its turn.
func TestAPowerThatStaysOnEndsTheAttempt(t *testing.T) {
	for answer, want := range map[reading]time.Duration{on: longestOn, odd: longest, off: time.Second} {
		result := tried(t, &script{readings: []reading{answer}}, wants(), usual())
		if took := result.Duration; took > want+time.Second || took < want-time.Second {
			t.Errorf("a power that reads %s took %v, want %v", answer, took, want)
		}
	}
}

// Two readings count with the law's distance, however often it is read.
func TestTheReadingsThatCountAreApart(t *testing.T) {
	terms := usual()
	terms.Reading = time.Millisecond
	result := tried(t, &script{readings: []reading{off}}, wants(), terms)
	at := map[string]time.Time{}
	var order []string
	for _, phase := range result.Phases {
		at[phase.What] = phase.At
		order = append(order, phase.What)
	}
	if apart := at["off confirmed"].Sub(at["first off reading"]); result.Outcome != fence.Confirmed || apart < Between {
		t.Errorf("%s, readings %v apart", result.Outcome, apart)
	}
	want := []string{"connected", "identity verified", "off accepted", "first off reading", "off confirmed"}
	if !slices.Equal(order, want) {
		t.Errorf("phases %v", order)
	}
	assumed := tried(t, &script{readings: []reading{off}, assumed: true}, wants(), terms)
	if assumed.Outcome != fence.Confirmed || assumed.Phases[1].What != "off accepted" {
		t.Errorf("%s %v; what is assumed was not verified", assumed.Outcome, assumed.Phases)
	}
}

func TestALoginThatIsRefusedIsNotTriedAgain(t *testing.T) {
	for _, test := range []struct {
		err    error
		logins int
	}{{errors.New("no answer"), 2}, {Final(errors.New("wrong password")), 1}} {
		s := &script{readings: []reading{off}, loginErr: test.err}
		result := tried(t, s, wants(), usual())
		if result.Outcome != fence.Unknown || s.offs != 0 || s.logins != test.logins {
			t.Errorf("%v: %s after %d logins, want %d", test.err, result.Outcome, s.logins, test.logins)
		}
	}
}

func TestEvidenceIsBoundedAndTellsTheEnd(t *testing.T) {
	s := &script{readings: slices.Repeat([]reading{off, on, off, odd}, 100)}
	result := tried(t, s, wants(), usual())
	if n := len(result.Evidence); n != maxEvidence || !strings.HasPrefix(result.Evidence[n-1], "time is up") {
		t.Errorf("%d sentences, the last: %s", n, result.Evidence[n-1])
	}
}
