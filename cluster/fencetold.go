package cluster

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clusterd/clusterd/fence"
)

// How much of an intent that stays open the timeline tells: every attempt at
// first, then one now and then, and in between what is new, but not more often
// than a device can find new words for the same fault.
const (
	attemptsToldAll  = 24
	longestUntold    = time.Hour
	pauseBetweenNews = 10 * time.Minute
	mostTold         = 32
	longestTold      = 160
)

// ToldAttempt is how an attempt ended that the timeline told of.
type ToldAttempt struct {
	Fencer  string        `json:"fencer"`
	Level   int           `json:"level"`
	Outcome fence.Outcome `json:"outcome"`
	// Words are its evidence without the figures, which differ each time.
	Words string `json:"words"`
}

// dueToTell tells whether the next attempt is one of those that are told whatever
// comes of them: the distance to the last one grows with the age of the intent.
// It is about telling alone, so the entries' own clock will do.
func (f Fence) dueToTell(now time.Time) bool {
	if f.TriedTotal < attemptsToldAll || f.ToldAt.IsZero() {
		return true
	}
	return now.Sub(f.ToldAt) >= min(longestUntold, max(f.ToldAt.Sub(f.At), pauseBetweenNews))
}

// news tells whether an attempt's end is to be told, and keeps that it was.
func (f *Fence) news(now time.Time, a fence.Attempt, evidence string) bool {
	told := ToldAttempt{Fencer: a.Fencer, Level: a.Level, Outcome: a.Outcome, Words: withoutFigures(evidence)}
	known, same := -1, false
	for i, before := range f.Told {
		if before.Fencer == a.Fencer && before.Level == a.Level {
			known, same = i, before == told
		}
	}
	if !f.Loud && (same || now.Sub(f.ToldAt) < pauseBetweenNews) {
		return false
	}
	list := append([]ToldAttempt(nil), f.Told...)
	if known >= 0 {
		list[known] = told
	} else if list = append(list, told); len(list) > mostTold {
		list = list[len(list)-mostTold:]
	}
	f.Told, f.ToldAt, f.Loud = list, now, false
	return true
}

// withoutFigures drops the digits, so that a sentence with another duration, port
// or generation in it is the same sentence.
func withoutFigures(text string) string {
	words := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	return strings.ToValidUTF8(words[:min(len(words), longestTold)], "")
}

// briefest bounds what a note quotes of a device, in letters.
const briefest = 160

// Briefly is the first part of what a device said: why it failed, without the advice, the
// transcript and the second attempt that follow. `clusterd fence status` has all of it.
func Briefly(said string) string {
	said, _, _ = strings.Cut(said, ";")
	said = strings.TrimSpace(said)
	if utf8.RuneCountInString(said) <= briefest {
		return said
	}
	return string([]rune(said)[:briefest-3]) + "..."
}
