package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Short texts that would become much memory or time are refused early, with words.
func TestBombsEndEarly(t *testing.T) {
	nested := "cluster: a\nservices:\n  web:\n    resources: " +
		strings.Repeat("[{type: lsb:x, resources: ", 2500) + strings.Repeat("}]", 2500) + "\n"
	var keys strings.Builder
	for i := range 600_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	many := "cluster: a\n" + keys.String()[:2<<20]
	many = many[:strings.LastIndexByte(many, '\n')+1]
	flow := "cluster: a\nx: [" + strings.Repeat("[],", 1<<20) + "]\n"
	deep := "cluster: a\nx: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"nested resources":   {nested, "nested more than 64 levels"},
		"unknown keys":       {"cluster: a\n" + keys.String(), "has more than 400000 entries"},
		"fewer unknown keys": {many, "more faults"},
		"flow sequences":     {flow, "has more than 400000 entries"},
		"deep sequences":     {deep, "nested more than 64 levels"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, err := Parse("document", []byte(c.text), nil, nil)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", name, err)
		}
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%s: %d bytes, %s, %d MiB allocated in all", name, len(c.text), took, allocated)
		if allocated > 400 {
			t.Errorf("%s: %d MiB were allocated for %d bytes", name, allocated, len(c.text))
		}
	}
}
