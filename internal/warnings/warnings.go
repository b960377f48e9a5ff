// Package warnings keeps a node's own troubles, one line for each subject. Whatever has a trouble
// writes it down here and takes it back; status, metrics and the doctor read it.
package warnings

import (
	"maps"
	"slices"
	"sync"
)

// Book are this node's own troubles, by subject. Its zero value is empty.
type Book struct {
	mu   sync.Mutex
	list map[string]string
}

// most bounds the list; one subject has one line.
const most = 64

// Set records or (with an empty text) clears a warning; it reports whether that
// changed anything.
func (b *Book) Set(subject, text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.list == nil {
		b.list = map[string]string{}
	}
	old, known := b.list[subject]
	if text == "" {
		delete(b.list, subject)
		return known
	}
	if !known && len(b.list) >= most {
		return false
	}
	b.list[subject] = text
	return old != text
}

// SetError is Set with what an error says; nil clears the warning.
func (b *Book) SetError(subject string, err error) bool {
	if err == nil {
		return b.Set(subject, "")
	}
	return b.Set(subject, err.Error())
}

// Texts are all warnings, in the order of their subjects.
func (b *Book) Texts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var texts []string
	for _, subject := range slices.Sorted(maps.Keys(b.list)) {
		texts = append(texts, subject+": "+b.list[subject])
	}
	return texts
}
