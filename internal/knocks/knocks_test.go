package knocks

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// TestARepetitionIsToldAndGoneAfterAWhile: who from, how often, since when, and what to do.
func TestARepetitionIsToldAndGoneAfterAWhile(t *testing.T) {
	var book Book
	told := func(after time.Duration) string { return strings.Join(book.Texts(noon.Add(after)), "\n") }
	for i := range 4 {
		book.Note("10.0.0.9:5123", Token, noon.Add(time.Duration(i)*time.Second))
	}
	if text := told(4 * time.Second); text != "" {
		t.Errorf("told of what may be a slip: %s", text)
	}
	book.Note("10.0.0.9:777", Token, noon.Add(time.Minute))
	book.Note("10.0.0.9:777", Key, noon.Add(time.Minute))
	text := told(2 * time.Minute)
	for _, want := range []string{"10.0.0.9 was refused 6 times", stamp(noon), stamp(noon.Add(time.Minute)),
		"a join token that is wrong, used or expired", "`clusterd token`"} {
		if !strings.Contains(text, want) {
			t.Errorf("told is %q, without %q", text, want)
		}
	}
	if text := told(time.Minute + life); text != "" || len(book.callers) != 0 {
		t.Errorf("it is not over: %q", text)
	}
	for kind, want := range map[Kind]string{Key: "has not recorded", Barred: "is barred"} {
		for i := range often {
			book.Note(fmt.Sprintf("10.1.0.%d", kind), kind, noon.Add(2*life+time.Duration(i)*moment))
		}
		if text := told(2*life + time.Minute); !strings.Contains(text, want) {
			t.Errorf("told is %q, without %q", text, want)
		}
	}
}

// TestNobodyFillsTheBook: not from many addresses, nor from one network, nor with words; and
// whoever goes on is still told of.
func TestNobodyFillsTheBook(t *testing.T) {
	var book Book
	at := noon
	for i := range 20_000 {
		at = at.Add(10 * time.Millisecond)
		book.Note(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), Key, at)
		if i%50 == 0 {
			book.Note("192.0.2.7:1", Token, at)
		}
	}
	if len(book.callers) > mostAddresses {
		t.Errorf("%d addresses are remembered", len(book.callers))
	}
	texts := book.Texts(at)
	if len(texts) > mostTold+2 || !strings.Contains(texts[0], "192.0.2.7 was refused 400 times") {
		t.Errorf("told is %q", texts)
	}
	if !strings.Contains(strings.Join(texts, "\n"), "more than 64 addresses were refused") {
		t.Errorf("the crowd is not told of: %q", texts)
	}
	if left := book.Texts(at.Add(life)); len(left) != 0 {
		t.Errorf("it is not over: %q", left)
	}

	for i := range 1_000 {
		at = at.Add(10 * time.Millisecond)
		book.Note(fmt.Sprintf("[2001:db8:0:1::%x]:1", i), Key, at.Add(life))
		book.Note("\x1b[31m"+strings.Repeat("x", i)+":1", Key, at.Add(life))
	}
	text := strings.Join(book.Texts(at.Add(life)), "\n")
	if len(book.callers) != 2 || !strings.Contains(text, "2001:db8:0:1::/64 was refused 1000 times") ||
		strings.Contains(text, "\x1b") {
		t.Errorf("%d addresses, told is %q", len(book.callers), text)
	}
	book.Note("10.0.0.1:1", kinds, at.Add(life))
	if len(book.callers) != 2 {
		t.Error("a kind that there is not is remembered")
	}
}
