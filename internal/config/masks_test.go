package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/rewrite"
)

const plantedDocument = `cluster: office
nodes:
  node1: {fence: [[pdu]]}
devices:
  pdu:
    driver: agent
    address: 10.0.0.9
    options: {agent: fence_apc_snmp, community: "hush-1", snmp_priv_passwd: "hush-2", port: "4"}
resources:
  shared-db:
    type: ocf:heartbeat:pgsql
    parameters: {rep_mode: sync, replication_passwd: "hush-3"}
services:
  service:shop:
    resources:
      - type: "ocf:heartbeat:Filesystem"
        parameters: {device: "//nas/x", directory: /srv, fstype: cifs, options: "username=shop,password=hush-4"}
      - ref: shared-db
        resources:
          - {type: "ocf:heartbeat:mysql", name: db, parameters: {test_passwd: "hush-5", background: "no"}}
`

// TestSecretsOfParametersAndOptionsAreNeverShown: in the document, in its listing, and in what a
// change of it is said to do; and who shows the document, and applies it again, loses none.
func TestSecretsOfParametersAndOptionsAreNeverShown(t *testing.T) {
	parse := func(text string, previous *cluster.Document) Parsed {
		t.Helper()
		parsed, err := Parse("cluster.yaml", []byte(text), nil, previous)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	first := parse(plantedDocument, nil)
	shown := rewrite.Redact(plantedDocument)
	second := parse(strings.ReplaceAll(plantedDocument, "hush-", "loud-"), nil)
	changes := strings.Join(Diff(first.Document, second.Document), "\n")
	listing := Print(first.Document)
	for what, text := range map[string]string{"the document": shown, "its listing": listing, "a change": changes} {
		for _, secret := range []string{"hush-", "loud-"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret:\n%s", what, text)
			}
		}
	}
	open := []string{"agent: fence_apc_snmp", `port: "4"`, `background: "no"`, "rep_mode: sync", "fstype: cifs"}
	for _, rest := range open {
		if !strings.Contains(shown, rest) {
			t.Errorf("%q is not shown:\n%s", rest, shown)
		}
	}
	for _, name := range []string{"community", "snmp_priv_passwd"} {
		if !strings.Contains(changes, "the value of "+name+" changes") {
			t.Errorf("nothing tells that %s changes:\n%s", name, changes)
		}
	}
	want := "ocf:heartbeat:mysql db: the value of test_passwd changes, "
	if !strings.Contains(changes, want) || strings.Contains(changes, rewrite.Mask+" becomes") {
		t.Errorf("a secret is said to become what it is, or nothing tells %q:\n%s", want, changes)
	}
	again := parse(shown, &first.Document)
	if again.Text != plantedDocument {
		t.Errorf("shown and applied again, the document is\n%s", again.Text)
	}
	if _, err := Parse("cluster.yaml", []byte(shown), nil, nil); err == nil || !strings.Contains(err.Error(), "masked") {
		t.Errorf("a masked document without an old one: %v", err)
	}
}

// What a driver declares it knows the secrecy of: "auth" names a password in agents, and how to
// log in with Redfish.
func TestWhatADriverDeclaresIsNotMaskedForItsName(t *testing.T) {
	text := "cluster: a\ndevices:\n  b: {driver: redfish, address: h, username: u, password: p, " +
		"options: {auth: session}}\n  c: {driver: agent, options: {agent: fence_virt, auth: hush}}\n"
	parsed, err := Parse("a.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, shown := range map[string]string{
		"the document": rewrite.Redact(text), "its listing": Print(parsed.Document),
	} {
		if !strings.Contains(shown, "session") || strings.Contains(shown, "hush") {
			t.Errorf("%s shows:\n%s", what, shown)
		}
	}
}
