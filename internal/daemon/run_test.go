package daemon

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
)

// TestWhatWasOpenedLastEndsFirst: the log ends before the wire that it sends by, and what cannot be
// ended keeps nothing else open.
func TestWhatWasOpenedLastEndsFirst(t *testing.T) {
	d := &Daemon{logger: slog.New(slog.DiscardHandler)}
	var ended []string
	for _, name := range []string{"agent", "wire", "log"} {
		d.onClose(name, func() error {
			ended = append(ended, name)
			return errors.New("it does not want to")
		})
	}
	d.close()
	d.close()
	if !slices.Equal(ended, []string{"log", "wire", "agent"}) {
		t.Errorf("ended in the order %v", ended)
	}
}

// TestLoopsAreToldApart: a name is what a person sees of a loop.
func TestLoopsAreToldApart(t *testing.T) {
	seen := map[string]bool{}
	for _, part := range (&Daemon{}).loops() {
		if part.name == "" || seen[part.name] || part.run == nil {
			t.Errorf("a loop is called %q", part.name)
		}
		seen[part.name] = true
	}
}
