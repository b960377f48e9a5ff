package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/rewrite"
)

const alertDocument = `cluster: a
nodes: {n1: }
alerts:
  pager:
    program: /usr/local/sbin/page
    arguments: [--team, 24]
    states: [failed, lost]
    node: n1
    timeout: 20s
    attempts: 3
  chat:
    secret_url: https://chat.example.com/hooks/very-hidden   # by the chat's owner
    header: X-Token
    secret: also hidden
    kinds: [service]
    subjects: ["vm:*"]
    codes: ["vm-*", start-failed]
`

func TestAlertsAreRead(t *testing.T) {
	got := parse(t, []byte(alertDocument)).Document.Alerts
	want := map[string]cluster.Alert{
		"pager": {Name: "pager", Program: "/usr/local/sbin/page", Arguments: []string{"--team", "24"},
			States: []string{"failed", "lost"}, Node: "n1", Timeout: 20 * time.Second, Attempts: 3},
		"chat": {Name: "chat", SecretURL: "https://chat.example.com/hooks/very-hidden", Header: "X-Token",
			Secret: "also hidden", Kinds: []string{"service"}, Subjects: []string{"vm:*"},
			Codes: []string{"vm-*", "start-failed"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSecretsOfAlertsAreShownToNobodyAndKept(t *testing.T) {
	before := parse(t, []byte(alertDocument))
	shown := rewrite.Redact(before.Text)
	if strings.Contains(shown, "hidden") || !strings.Contains(shown, "# by the chat's owner") ||
		strings.Count(shown, rewrite.Mask) != 2 {
		t.Errorf("shown is\n%s", shown)
	}
	after, err := Parse("d", []byte(shown), nil, &before.Document)
	if err != nil {
		t.Fatal(err)
	}
	if len(Diff(before.Document, after.Document)) > 0 {
		t.Errorf("what was shown changes %q", Diff(before.Document, after.Document))
	}
	if _, err := Parse("d", []byte(shown), nil, nil); err == nil ||
		!strings.Contains(err.Error(), "d:12:17: the secret_url of alert chat is masked, and there is no old one to keep") {
		t.Errorf("without an old document: %v", err)
	}
	other := parse(t, []byte(strings.NewReplacer("very-hidden", "other-hidden", "also", "now").Replace(alertDocument)))
	if words := strings.Join(Diff(before.Document, other.Document), "\n") +
		Print(other.Document); strings.Contains(words, "hidden") {
		t.Errorf("a secret is told: %s", words)
	}
	masked, kept, err := rewrite.Earlier(before.Text, other.Document)
	if err != nil || len(kept) != 2 || strings.Contains(masked, "hidden") {
		t.Errorf("rolled back: %q, %v\n%s", kept, err, masked)
	}
}

func TestAlertsSecretsComeFromFiles(t *testing.T) {
	text := "cluster: a\nalerts:\n  chat:\n    secret_url_file: url\n    header: X-Token\n    secret_file: token\n   " +
		" ca_file: ca.pem\n"
	files := map[string]string{"url": "https://chat.example.com/x\n", "token": "hush\n", "ca.pem": ""}
	pem, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	files["ca.pem"] = string(pem)
	read := func(path string) ([]byte, error) { return []byte(files[path]), nil }
	parsed, err := Parse("d", []byte(text), read, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := parsed.Document.Alerts["chat"]; a.SecretURL != "https://chat.example.com/x" || a.Secret != "hush" ||
		a.Authority != string(pem) {
		t.Errorf("read %#v", a)
	}
	if strings.Contains(parsed.Text, "_file") {
		t.Errorf("files are left in\n%s", parsed.Text)
	}
}

// TestAlertsSecretsComeFromCredentials: the document names them, and shows and compares the names.
func TestAlertsSecretsComeFromCredentials(t *testing.T) {
	text := "cluster: a\nalerts:\n  chat:\n" +
		"    secret_url_credential: hook\n    header: X-Token\n    secret_credential: token\n"
	parsed := parse(t, []byte(text))
	want := cluster.Alert{Name: "chat", SecretURLCredential: "hook", Header: "X-Token", SecretCredential: "token"}
	if got := parsed.Document.Alerts["chat"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if shown := rewrite.Redact(parsed.Text); shown != text {
		t.Errorf("shown is\n%s", shown)
	}
	told := "posts to the address in credential hook, header X-Token from credential token"
	if words := Print(parsed.Document); !strings.Contains(words, told) {
		t.Errorf("told is %s", words)
	}
	other := parse(t, []byte(strings.NewReplacer("hook", "hook2", ": token", ": token2").Replace(text)))
	words := strings.Join(Diff(parsed.Document, other.Document), "\n")
	if !strings.Contains(words, "secret_url_credential") || !strings.Contains(words, "token2") {
		t.Errorf("the difference is %q", words)
	}
}

func TestACodeThatNoEventHasIsRefused(t *testing.T) {
	_, err := Parse("d", []byte("cluster: a\nalerts: {x: {program: /bin/a, codes: [vm-crahsed, 'vm-[', fence-*]}}\n"),
		nil, nil)
	for _, want := range []string{
		"d:2:39: no event has a code like \"vm-crahsed\"; `clusterd codes` lists them. Did you mean 'vm-crashed'?",
		`d:2:51: "vm-[" is not a pattern`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("said\n%v\nand not %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), `"fence-*"`) {
		t.Errorf("a pattern that codes fit is refused: %v", err)
	}
}

func TestFaultsOfAlerts(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no way": {"{kinds: [node]}", []string{"d:2:10: alert x needs one of program, url and secret_url, and has 0"}},
		"two ways": {"{program: /bin/a, url: 'https://h/'}",
			[]string{"d:2:10: alert x needs one of program, url and secret_url, and has 2"}},
		"no path": {"{program: page}",
			[]string{"d:2:23: the program of alert x must be an absolute path, the same on every node that may lead; no " +
				"shell looks for it"}},
		"open line": {"{url: 'http://h/'}",
			[]string{"d:2:19: the url of alert x must begin with https://; events tell what is broken, and go " +
				"over no open line"}},
		"shown secret": {"{url: 'https://u:p@h/'}",
			[]string{"d:2:19: the url of alert x has a password in it; write it as secret_url, which is shown to nobody"}},
		"words": {"{program: /bin/a, kinds: [nod], states: [faild], subjects: ['['], node: n9, attempts: 0}", []string{
			`d:2:39: one of the kinds of alert x is "nod"; it must be one of node, service, cluster. Did you mean 'node'?`,
			`Did you mean 'failed'?`,
			`d:2:73: "[" is not a pattern; * and ? stand for any letters, for example vm:*`,
			`d:2:85: alert x names node "n9", which is not declared under nodes.`,
			`d:2:99: attempts of alert x is 0; it must be between 1 and 20`,
		}},
		"apart": {"{program: /bin/a, header: X, ca: b}", []string{
			"d:2:39: header of alert x goes with secret",
			"d:2:39: header of alert x goes with a url",
			"d:2:46: ca of alert x goes with a url",
			"d:2:46: the ca of alert x has no certificate in PEM",
		}},
		"header": {"{url: 'https://h/', header: 'a: b', secret: s}",
			[]string{`d:2:41: the header of alert x is "a: b"; the name of a header has up to 64 letters, digits and -`}},
		"no header": {"{url: 'https://h/', secret_credential: c}", []string{"d:2:52: secret of alert x goes with header"}},
		"no credential": {"{url: 'https://h/', header: X, secret_credential: '../c'}", []string{
			`d:2:63: "../c" is not a name for a secret_credential`}},
		"value and file": {"{url: 'https://h/', header: X, secret: hush, secret_file: f}", []string{
			"alert x has both secret and secret_file; keep one"}},
		"value and credential": {"{url: 'https://h/', header: X, secret: hush, secret_credential: c}", []string{
			"d:2:77: alert x has both secret and secret_credential; keep one"}},
		"file and credential": {"{secret_url_credential: c, secret_url_file: f}", []string{
			"d:2:57: alert x has both secret_url_credential and secret_url_file; keep one"}},
		"a url and a credential": {"{url: 'https://h/', secret_url_credential: c}", []string{
			"alert x needs one of program, url and secret_url, and has 2"}},
		"secret": {"{url: 'https://h/', header: X, secret: [hush]}",
			[]string{"d:2:52: the secret of alert x must be text on one line"}},
	} {
		_, err := Parse("d", []byte("cluster: a\nalerts: {x: "+c.text+"}\n"), nil, nil)
		if err == nil {
			t.Errorf("%s: no fault", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: said\n%v\nand not %q", name, err, want)
			}
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: a secret is told: %v", name, err)
		}
	}
}
