package main

import "strings"

// key is what a person can press while clustat -i shows.
type key int

const (
	keyNone key = iota
	keyQuit
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
)

// letters are keys of one byte: those of less(1), for terminals without the others.
var letters = map[byte]key{
	'q': keyQuit, 'Q': keyQuit, 3: keyQuit, 'k': keyUp, 'j': keyDown, 'b': keyPageUp, ' ': keyPageDown,
	'g': keyHome, 'G': keyEnd,
}

// sequences are what follows after ESC [ or ESC O.
var sequences = map[string]key{
	"A": keyUp, "B": keyDown, "5~": keyPageUp, "6~": keyPageDown,
	"H": keyHome, "1~": keyHome, "7~": keyHome, "F": keyEnd, "4~": keyEnd, "8~": keyEnd,
}

const escape = 0x1b

// longestSequence bounds what is kept of a sequence whose end has not come.
const longestSequence = 16

// keysOf reads what a terminal sent. rest is the beginning of a sequence whose end is still to
// come.
func keysOf(typed string) (keys []key, rest string) {
	for typed != "" {
		if typed[0] != escape {
			if k := letters[typed[0]]; k != keyNone {
				keys = append(keys, k)
			}
			typed = typed[1:]
			continue
		}
		body, whole := sequence(typed)
		if !whole {
			return keys, typed[:min(len(typed), longestSequence)]
		}
		if len(body) > 2 {
			if k := sequences[body[2:]]; k != keyNone {
				keys = append(keys, k)
			}
		}
		typed = typed[len(body):]
	}
	return keys, ""
}

// sequence cuts the sequence off that a text begins with; false where its end is missing. An
// ESC that begins none is one by itself.
func sequence(text string) (string, bool) {
	if len(text) < 2 {
		return text, false
	}
	if text[1] != '[' && text[1] != 'O' {
		return text[:1], true
	}
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	switch {
	case end >= 0:
		return text[:2+end+1], true
	case len(text) > longestSequence:
		return text, true // Noise.
	}
	return text, false
}
