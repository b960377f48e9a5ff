package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

// TestSecretsOfAgentsComeFromFiles: as passwords of devices do, and only what is secret by its
// name.
func TestSecretsOfAgentsComeFromFiles(t *testing.T) {
	const text = `cluster: a
devices:
  b: {driver: agent, address: 10.0.0.9, username: u, password: p, options: {agent: fence_apc,
    snmp_priv_passwd: {file: snmp}}}
services:
  service:shop:
    resources:
      - type: ocf:heartbeat:mysql
        name: db
        parameters:
          test_passwd: {file: db} # not here
          config: /etc/my.cnf
`
	files := map[string]string{"snmp": "hush1234\n", "db": "hush5678\r\n", "long": "one\ntwo\n"}
	read := func(path string) ([]byte, error) { return []byte(files[path]), nil }
	parsed, err := Parse("d", []byte(text), read, nil)
	if err != nil {
		t.Fatal(err)
	}
	device := parsed.Document.Devices["b"].Options["snmp_priv_passwd"]
	resource := parsed.Document.Services["service:shop"].Tree[0].Parameters
	if device != "hush1234" || resource["test_passwd"] != "hush5678" || resource["config"] != "/etc/my.cnf" {
		t.Errorf("option %q, parameters %v", device, resource)
	}
	again, err := Parse("d", []byte(parsed.Text), nil, nil)
	if err != nil || again.Document.Devices["b"].Options["snmp_priv_passwd"] != device ||
		strings.Contains(parsed.Text, "file:") {
		t.Errorf("the text that is sent is read otherwise: %v in %s", err, parsed.Text)
	}
	for from, says := range map[string]string{
		"config: {file: db}":                        "write the value out",
		"test_passwd: {file: long}":                 "on its only line",
		"test_passwd: {path: db}":                   "{file: PATH}",
		"test_passwd: {file: db, credential: mine}": "credential",
	} {
		changed := strings.Replace(strings.Replace(text, "test_passwd: {file: db} # not here", from, 1),
			"          config: /etc/my.cnf\n", "", 1)
		if _, err := Parse("d", []byte(changed), read, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// TestASealedDocumentMeansTheSameEverywhere: what its text is read as again is what it was
// sealed to.
func TestASealedDocumentMeansTheSameEverywhere(t *testing.T) {
	const text = `cluster: alpha
devices:
  bmc1: {driver: ipmi, address: 10.0.0.1, username: admin, password: "hunter: 22"} # the first
  bmc2: {driver: ipmi, address: 10.0.0.2, password_credential: bmc2}
  bmc3: {driver: redfish, address: bmc3, password: '123', options: {auth: basic}}
services:
  service:shop:
    resources:
      - {type: "ocf:heartbeat:mysql", name: db, parameters: {test_passwd: hunter22, config: /etc/my.cnf}}
alerts:
  pager: {secret_url: "https://hooks.example/xyz"}
`
	parsed, err := Parse("document", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	references := map[string]string{}
	sealed, err := Seal(parsed, func(secret string) string {
		if references[secret] == "" {
			references[secret] = fence.Reference(strings.Repeat(string("0123456789"[len(references)]), 32))
		}
		return references[secret]
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(references) != 4 || strings.Contains(sealed.Text, "hunter") || !strings.Contains(sealed.Text, "# the first") {
		t.Errorf("sealed are %d secrets, in %s", len(references), sealed.Text)
	}
	if sealed.Document.Devices["bmc2"].Credential != "bmc2" {
		t.Errorf("bmc2 is %+v", sealed.Document.Devices["bmc2"])
	}
	again, err := Parse("document", []byte(sealed.Text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if changes := Diff(sealed.Document, again.Document); len(changes) != 0 {
		t.Errorf("read again it differs: %v", changes)
	}
	for hash := range again.Blobs {
		if sealed.Blobs[hash] != again.Blobs[hash] {
			t.Errorf("definition %.8s is another one", hash)
		}
	}
	both := strings.Replace(text, "password_credential: bmc2", "password_credential: bmc2, password: x", 1)
	if _, err := Parse("document", []byte(both), nil, nil); err == nil || !strings.Contains(err.Error(), "keep one") {
		t.Errorf("a password beside a credential: %v", err)
	}
}
