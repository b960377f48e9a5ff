package ears

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeLibvirt answers, refuses or hangs, question by question, on a clock of its own: nothing
// here waits.
type fakeLibvirt struct {
	// script has a letter for each question: a answers, r refuses, h hangs. The daemon stops after it.
	script string
	now    time.Duration
	words  string // what it refuses with

	asked  int
	expire context.CancelCauseFunc
	limit  time.Duration
	stop   context.CancelFunc
	told   []string
}

func (l *fakeLibvirt) clock() clock {
	return clock{
		sleep: func(ctx context.Context, wait time.Duration) bool {
			l.now += wait
			return ctx.Err() == nil
		},
		limit: func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
			ctx, expire := context.WithCancelCause(ctx)
			l.expire, l.limit = expire, limit
			return ctx, func() { expire(nil) }
		},
	}
}

// answers is one question: one that hangs ends when its time has run out.
func (l *fakeLibvirt) answers(ctx context.Context) error {
	how := l.script[l.asked]
	if l.asked++; l.asked == len(l.script) {
		defer l.stop()
	}
	switch how {
	case 'h':
		l.now += l.limit
		l.expire(context.DeadlineExceeded)
		<-ctx.Done()
		return fmt.Errorf("libvirt has not answered: %w", context.Cause(ctx))
	case 'r':
		return errors.New(l.words)
	}
	return nil
}

// play asks as the script says, and returns what was told and when; the last question tells
// nothing, because the daemon stops with it.
func (l *fakeLibvirt) play(script string) []string {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l.script, l.stop = script, stop
	probe := hypervisorProbe{ask: l.answers, clock: l.clock(), tell: func(why string) {
		l.told = append(l.told, strings.TrimSpace(l.now.String()+" "+why))
	}}
	probe.run(ctx)
	return l.told
}

func TestAHypervisorThatHangsIsToldOf(t *testing.T) {
	const hangs = "libvirt has not answered: context deadline exceeded"
	for _, story := range []struct {
		name, script string
		told         []string
	}{
		{"it answers", "aaaaaa", nil},
		{"it hangs: two questions of 3 s, 3 s apart", "hha", []string{"12s " + hangs}},
		{"one answer is late, again and again", "hahahahaa", nil},
		{"it hangs for long: told once", "hhhhhhhha", []string{"12s " + hangs}},
		{"it answers again: told at once", "hhhaaa", []string{"12s " + hangs, "21s"}},
		{"it hangs a second time", "hhahhaa", []string{"12s " + hangs, "15s", "27s " + hangs, "30s"}},
		{"it cannot be reached, and then it hangs: other words are no news", "rrhha", []string{"6s no such socket"}},
		{"the daemon stops while it hangs for the second time", "hh", nil},
		{"the daemon stops while it answers again", "hhha", []string{"12s " + hangs}},
	} {
		t.Run(story.name, func(t *testing.T) {
			l := &fakeLibvirt{words: "no such socket"}
			if told := l.play(story.script); !slices.Equal(told, story.told) {
				t.Errorf("told %q, want %q", told, story.told)
			}
			if l.asked != len(story.script) {
				t.Errorf("asked %d times of %d", l.asked, len(story.script))
			}
		})
	}
}

// TestWhatIsSaidOfAHypervisorIsBounded in bytes, whatever language libvirt speaks.
func TestWhatIsSaidOfAHypervisorIsBounded(t *testing.T) {
	for _, letter := range []string{"x", "ü", "無"} {
		l := &fakeLibvirt{words: strings.Repeat(letter, 10*mostOfAnError)}
		want := "6s " + strings.Repeat(letter, mostOfAnError/len(letter))
		if told := l.play("rra"); len(told) != 1 || told[0] != want {
			t.Errorf("told %q, want %q", told, want)
		}
	}
}
