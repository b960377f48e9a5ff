package agent

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

const secret = "s3cret-pass"

// TestMain lets more tests run at once than there are processors: they spend
// their time waiting for readings, not computing.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const storyMetadata = `<?xml version="1.0" ?>
<resource-agent name="fence_story" shortdesc="a story"><parameters>
<parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
<parameter name="ip" required="1" obsoletes="ipaddr"><content type="string"/></parameter>
<parameter name="ipaddr" required="1" deprecated="1"><content type="string"/></parameter>
<parameter name="username" required="0"><content type="string"/></parameter>
<parameter name="passwd" required="0"><content type="string"/></parameter>
<parameter name="plug" required="1"><content type="string"/></parameter>
<parameter name="power-wait" required="0"><content type="second" default="0"/></parameter>
<parameter name="method" required="0"><content type="select" default="onoff"><option value="onoff"/>
<option value="cycle"/></content></parameter>
</parameters><actions><action name="on" automatic="0"/><action name="off"/><action name="status"/>
<action name="monitor"/></actions></resource-agent>`

// opening is the beginning of every agent of these tests: it keeps the power
// in a file and tells what it heard.
const opening = `#!/bin/sh
here=$(dirname "$0")
action=none
while IFS= read -r line; do
  echo "$line" >>"$here/heard"
  case $line in action=*) action=${line#action=} ;; esac
done
echo "$action $#" >>"$here/actions"
[ "$action" = metadata ] && { cat "$here/metadata"; exit 0; }
`

// honest is an agent that does what it says.
const honest = `case $action in
on|off) echo $action >"$here/power" ;;
status) [ "$(cat "$here/power")" = off ] && exit 2; exit 0 ;;
esac
exit 0
`

// story is an agent in a folder of its own.
type story struct {
	t      *testing.T
	folder string
}

func newStory(t *testing.T, body string) *story {
	t.Helper()
	s := &story{t, t.TempDir()}
	s.write("metadata", storyMetadata, 0o600)
	s.write("power", "on\n", 0o600)
	s.write("fence_story", opening+body, 0o700)
	return s
}

func (s *story) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	// A child that another test forks while the file is open for writing would hold it open too,
	// and running it would then fail with "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// told returns what the agent wrote down, one line each.
func (s *story) told(name string) []string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (s *story) count(action string) int {
	s.t.Helper()
	n := 0
	for _, line := range s.told("actions") {
		if line == action+" 0" {
			n++
		}
	}
	return n
}

func (s *story) driver() *driver {
	d := newDriver(Options{Folders: []string{s.folder}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	d.pace = pace{reading: 50 * time.Millisecond, repeat: 400 * time.Millisecond, suspicion: time.Second,
		steady: 800 * time.Millisecond}
	return d
}

func (s *story) device() fence.Device {
	return fence.Device{Name: "pdu1", Driver: Kind, Address: "pdu.example", Username: "admin", Password: secret,
		Options: map[string]string{"agent": "fence_story"}}
}

func requestFor(device fence.Device) fence.Request {
	return fence.Request{
		Act: "1.2.3", Device: device, IdentityVerified: true, Target: fence.Target{Node: "node1", Boot: "boot-1"},
		StillWanted: func() error { return nil }, SignOfLife: func() bool { return false },
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func expect(t *testing.T, result fence.Result, outcome fence.Outcome, words ...string) {
	t.Helper()
	told := strings.Join(result.Evidence, "\n")
	if result.Outcome != outcome {
		t.Fatalf("outcome %s, want %s; evidence:\n%s", result.Outcome, outcome, told)
	}
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("evidence does not say %q:\n%s", word, told)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", result, result), secret) {
		t.Errorf("the result carries the password: %+v", result)
	}
}

func TestFenceConfirmsWithTwoReadingsAfterOff(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	result := s.driver().Fence(within(t, 20*time.Second), requestFor(s.device()))
	expect(t, result, fence.Confirmed, "the drill verified", "accepted our off command", "power read off")
	if s.count("off") != 1 || s.count("reboot") != 0 || s.told("power")[0] != "off" {
		t.Errorf("actions %v", s.told("actions"))
	}
	at := map[string]time.Time{}
	for _, phase := range result.Phases {
		at[phase.What] = phase.At
	}
	if apart := at["off confirmed"].Sub(at["off accepted"]); apart < betweenReadings {
		t.Errorf("confirmed %v after off, law says two readings %v apart", apart, betweenReadings)
	}
	for _, want := range []string{"ip=pdu.example", "username=admin", "passwd=" + secret, "plug=node1"} {
		if !strings.Contains(strings.Join(s.told("heard"), "\n"), want) {
			t.Errorf("the agent did not hear %q: %v", want, s.told("heard"))
		}
	}
}

// An agent that reads off by itself sends nothing and says that it succeeded;
// in the middle of a power cycle that would be a lie.
func TestFenceDoubtsAnAgentThatHadNothingToDo(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	s.write("power", "off\n", 0o600)
	result := s.driver().Fence(within(t, 20*time.Second), requestFor(s.device()))
	expect(t, result, fence.Confirmed, "off all along", "once more")
	if s.count("off") != 2 || result.Duration < 800*time.Millisecond+betweenReadings {
		t.Errorf("%d off in %v", s.count("off"), result.Duration)
	}

	cycle := newStory(t, `case $action in
off) echo "Success: Already OFF" ;;
status) echo x >>"$here/asked"; n=$(wc -l <"$here/asked"); [ $n -gt 1 ] && [ $n -lt 4 ] && exit 2; exit 0 ;;
esac
exit 0
`)
	expect(t, cycle.driver().Fence(within(t, 3*time.Second), requestFor(cycle.device())), fence.Refuted,
		"power read off and then on")
}

// The first off did nothing, and the second fell into somebody's power cycle: it sent nothing,
// and the off readings after it are the cycle's.
func TestFenceDoubtsAnAgentThatHadNothingToDoTheSecondTime(t *testing.T) {
	t.Parallel()
	s := newStory(t, `case $action in
off) echo x >>"$here/offs"; [ $(wc -l <"$here/offs") -gt 1 ] && echo "Success: Already OFF" ;;
status) [ -e "$here/offs" ] && [ $(wc -l <"$here/offs") -gt 1 ] || exit 0
  echo x >>"$here/asked"; [ $(wc -l <"$here/asked") -lt 9 ] && exit 2; exit 0 ;;
esac
exit 0
`)
	d := s.driver()
	d.pace.steady = 10 * time.Second
	expect(t, d.Fence(within(t, 8*time.Second), requestFor(s.device())), fence.Refuted, "power read off and then on")
}

func TestFenceOfAMachineThatStaysOnIsRefuted(t *testing.T) {
	t.Parallel()
	s := newStory(t, "exit 0\n")
	result := s.driver().Fence(within(t, 3*time.Second), requestFor(s.device()))
	expect(t, result, fence.Refuted, "sent again", "still on")
	if got := s.count("off"); got != 1+repeatTries {
		t.Errorf("off was run %d times, want one and %d more", got, repeatTries)
	}
}

func TestWhatIsNotAClearAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want string }{
		"off fails": {"[ $action = off ] && { echo 'Failed: Timed out waiting to power OFF' >&2; exit 1; }\n" +
			honest, "Timed out waiting"},
		"status fails":       {"[ $action = status ] && exit 1\n" + honest, "status"},
		"odd status":         {"[ $action = status ] && exit 3\n" + honest, "exit status 3"},
		"missing program":    {"[ $action = status ] && exit 127\n" + honest, "exit status 127"},
		"killed by a signal": {"[ $action = status ] && kill -SEGV $$\n" + honest, "signal"},
		"a usage message": {"[ $action = status ] && { echo 'usage: fence_story [-h]' >&2; exit 2; }\n" + honest,
			"usage"},
		"a stack of calls": {"[ $action = status ] && { echo 'Traceback (most recent call last):' >&2; exit 2; }\n" +
			honest, "exit status 2"},
		"off cannot be run": {"[ $action = off ] && exec /does/not/exist\n" + honest, "were not accepted"},
		"garbage from off":  {"[ $action = off ] && { head -c 300 /dev/urandom; exit 9; }\n" + honest, "exit status 9"},
		"prints its password": {"[ $action = off ] && { echo \"login with " + secret + " failed\" >&2; exit 1; }\n" +
			honest, "login with ********"},
		"prints what it heard": {"[ $action = off ] && { cat \"$here/heard\" >&2; exit 1; }\n" + honest,
			"were not accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t, test.body)
			expect(t, s.driver().Fence(within(t, 5*time.Second), requestFor(s.device())), fence.Unknown, test.want)
		})
	}
}

func TestFenceKeepsItsDeadlineAgainstAnAgentThatHangs(t *testing.T) {
	t.Parallel()
	s := newStory(t, "[ $action = off ] && { echo $$ >\"$here/pid\"; sleep 600 & sleep 600; }\n"+honest)
	result := s.driver().Fence(within(t, 1500*time.Millisecond), requestFor(s.device()))
	expect(t, result, fence.Unknown, "did not end in time")
	if result.Duration > 3*time.Second {
		t.Errorf("took %v, the deadline was 1.5 s", result.Duration)
	}
	s.expectGroupGone("pid")
}

// A child that an agent leaves behind could switch power after the intent ended.
func TestWhatAnAgentLeavesBehindIsKilled(t *testing.T) {
	t.Parallel()
	s := newStory(t, "[ $action = off ] && { echo $$ >\"$here/pid\"; (sleep 600; echo on >\"$here/power\") & }\n"+honest)
	result := s.driver().Fence(within(t, 20*time.Second), requestFor(s.device()))
	expect(t, result, fence.Confirmed)
	s.expectGroupGone("pid")
}

// expectGroupGone looks for living members of an agent's process group.
func (s *story) expectGroupGone(file string) {
	s.t.Helper()
	group := s.told(file)[0]
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 2 && fields[2] == group && fields[0] != "Z" {
			s.t.Errorf("%s is alive: %s", path, text)
		}
	}
}

func TestHugeOutputIsCutWithoutAPartOfASecret(t *testing.T) {
	t.Parallel()
	// The cut falls into the password.
	body := fmt.Sprintf("[ $action = off ] && { head -c %d /dev/zero | tr '\\0' 'x' >&2; echo; printf '%%s' '%s' "+
		">&2; head -c 9000000 /dev/zero >&2; exit 1; }\n", largestOutput-5, secret)
	s := newStory(t, body+honest)
	result := s.driver().Fence(within(t, 10*time.Second), requestFor(s.device()))
	expect(t, result, fence.Unknown)
	if text := strings.Join(result.Evidence, "\n"); strings.Contains(text, secret[:4]) || len(text) > 4096 {
		t.Errorf("%d characters of evidence: %.300s", len(text), text)
	}
}

func TestNothingIsSentToAnOutletThatNobodyAnswersFor(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	request := requestFor(s.device())
	request.IdentityVerified = false
	expect(t, s.driver().Fence(within(t, 5*time.Second), request), fence.Unknown, "run the fence drill")
	if s.count("off") != 0 {
		t.Error("off was run")
	}
	request.Device.Options["identity"] = "assumed"
	expect(t, s.driver().Fence(within(t, 5*time.Second), request), fence.Confirmed, "on the word of the configuration")
}

func TestSignOfLifeForbidsConfirmed(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	request := requestFor(s.device())
	request.SignOfLife = func() bool { return true }
	expect(t, s.driver().Fence(within(t, 5*time.Second), request), fence.Unknown, "was heard from")
}

func TestStillWantedIsAskedBeforeEachOff(t *testing.T) {
	t.Parallel()
	s := newStory(t, "exit 0\n")
	request := requestFor(s.device())
	var asked atomic.Int32
	request.StillWanted = func() error {
		if asked.Add(1) > 1 {
			return errors.New("the intent was withdrawn")
		}
		return nil
	}
	expect(t, s.driver().Fence(within(t, 10*time.Second), request), fence.Unknown, "the intent was withdrawn")
	if got := s.count("off"); got != 1 {
		t.Errorf("off was run %d times", got)
	}
}

func TestCheckAsksAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	device := s.device()
	if check := s.driver().Check(within(t, 5*time.Second), device); check.Problem != "" ||
		check.Power != fence.PowerUnknown {
		t.Errorf("without an outlet: %+v", check)
	}
	device.Options["port"] = "7"
	if check := s.driver().Check(within(t, 5*time.Second), device); check.Problem != "" || check.Power != fence.PowerOn {
		t.Errorf("with an outlet: %+v", check)
	}
	if s.count("off")+s.count("on") != 0 || !strings.Contains(strings.Join(s.told("heard"), "\n"), "plug=7") {
		t.Errorf("actions %v, heard %v", s.told("actions"), s.told("heard"))
	}
	refusing := newStory(t, "echo 'Failed: Unable to connect/login to fencing device' >&2; exit 1\n")
	if check := refusing.driver().Check(within(t, 5*time.Second), refusing.device()); !strings.Contains(check.Problem,
		"check address, username and password") {
		t.Errorf("check %+v", check)
	}
}

func TestPowerOn(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	s.write("power", "off\n", 0o600)
	device := s.device()
	if err := s.driver().PowerOn(within(t, 5*time.Second), device); err == nil ||
		!strings.Contains(err.Error(), "option plug") {
		t.Errorf("without an outlet: %v", err)
	}
	device.Options["plug"] = "7"
	if err := s.driver().PowerOn(within(t, 5*time.Second), device); err != nil || s.told("power")[0] != "on" {
		t.Errorf("error %v, power %v", err, s.told("power"))
	}
}

func TestMetadataIsReadOnceUntilTheAgentChanges(t *testing.T) {
	t.Parallel()
	s := newStory(t, honest)
	d := s.driver()
	for range 3 {
		if err := d.Validate(s.device()); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.count("metadata"); got != 1 {
		t.Errorf("asked %d times", got)
	}
	s.write("fence_story", opening+"# another version\n"+honest, 0o700)
	if err := d.Validate(s.device()); err != nil || s.count("metadata") != 2 {
		t.Errorf("error %v, asked %d times", err, s.count("metadata"))
	}
}
