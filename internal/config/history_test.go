package config

import (
	"strings"
	"testing"
)

const consoled = `cluster: alpha
services:
  vm:web:
    definition: |
      <domain type="kvm"><name>web</name><uuid>5f5d4b6a-0000-4000-8000-000000000001</uuid>
      <devices><graphics type="vnc" passwd="pst"/></devices></domain>
`

// TestWhatIsInForceHoldsNothingUp: what should not be taken in is refused, and where it is there
// already, it is told and nothing else waits for it.
func TestWhatIsInForceHoldsNothingUp(t *testing.T) {
	if _, err := Parse("c.yaml", []byte(consoled), nil, nil); err == nil || strings.Contains(err.Error(), "pst") ||
		!strings.Contains(err.Error(), "the password of its console") {
		t.Fatalf("taken in: %v", err)
	}
	old, err := ParseHistory("version 3", []byte(consoled))
	if err != nil {
		t.Fatalf("an earlier document cannot be read: %v", err)
	}
	other := strings.Replace(consoled, "cluster: alpha\n", "cluster: alpha\nstart_at_once: 3\n", 1)
	parsed, err := Parse("c.yaml", []byte(other), nil, &old.Document)
	if err != nil {
		t.Fatalf("a change of something else is held up: %v", err)
	}
	if told := strings.Join(parsed.Warnings.Lines(), "\n"); !strings.Contains(told, "the password of its console") {
		t.Errorf("it is not told: %q", told)
	}
	changed := strings.Replace(other, `passwd="pst"`, `passwd="new"`, 1)
	if _, err := Parse("c.yaml", []byte(changed), nil, &old.Document); err == nil {
		t.Error("another definition with a password was taken in")
	}
}
