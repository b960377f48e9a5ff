package config

import (
	"strings"
	"testing"
)

const (
	programmed = "cluster: alpha\nalerts:\n  pager:\n    program: /usr/bin/page\n    arguments: "
	telling    = `[--team, storage, "--token=hush12", --password, hush34]`
)

// TestSecretsAreNoArguments: what runs as a process shows its arguments to the whole host, and the
// document to whoever may read it.
func TestSecretsAreNoArguments(t *testing.T) {
	for _, arguments := range []string{telling, `["--url=https://bob:hush@example.org/"]`, `["--header=x,api_key=hush"]`,
		`["{{secret:0123456789abcdef0123456789abcdef}}", --token]`} {
		_, err := Parse("c.yaml", []byte(programmed+arguments+"\n"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), "has a secret in it") || strings.Contains(err.Error(), "hush") ||
			!strings.Contains(err.Error(), "--token-file=PATH") {
			t.Errorf("%s: %v", arguments, err)
		}
	}
	for _, arguments := range []string{"[--team, storage]", "[--token-file=/etc/pager/token, --user=bob]", "[a, b=c]"} {
		if _, err := Parse("c.yaml", []byte(programmed+arguments+"\n"), nil, nil); err != nil {
			t.Errorf("%s: %v", arguments, err)
		}
	}
}

// TestASecretArgumentInForceHoldsNothingUp, and is masked where the document is told or compared.
func TestASecretArgumentInForceHoldsNothingUp(t *testing.T) {
	old, err := ParseHistory("version 3", []byte(programmed+telling+"\n"))
	if err != nil {
		t.Fatalf("an earlier document cannot be read: %v", err)
	}
	parsed, err := Parse("c.yaml", []byte(programmed+telling+"\nstart_at_once: 3\n"), nil, &old.Document)
	if err != nil {
		t.Fatalf("a change of something else is held up: %v", err)
	}
	if told := strings.Join(parsed.Warnings.Lines(), "\n"); !strings.Contains(told, "has a secret in it") {
		t.Errorf("it is not told: %q", told)
	}
	if asked, err := Prepare("c.yaml", []byte(programmed+telling+"\n"), nil); err != nil || len(asked.Warnings.List) != 2 {
		t.Errorf("what is in force cannot be sent: %v, %v", asked.Warnings, err)
	}
	other := strings.Replace(telling, "hush12", "hush56", 1)
	if _, err := Parse("c.yaml", []byte(programmed+other+"\n"), nil, &old.Document); err == nil {
		t.Error("another secret was taken in as an argument")
	}
	without, err := Parse("c.yaml", []byte(programmed+"[--team, storage]\n"), nil, &old.Document)
	if err != nil {
		t.Fatal(err)
	}
	newer, err := ParseHistory("version 4", []byte(programmed+other+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for what, told := range map[string]string{"printed": Print(old.Document),
		"compared with one without": Summary(Diff(old.Document, without.Document)),
		"compared with another":     Summary(Diff(old.Document, newer.Document))} {
		if strings.Contains(told, "hush") || !strings.Contains(told, "pager") {
			t.Errorf("%s: %s", what, told)
		}
	}
}
