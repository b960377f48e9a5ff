package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

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
