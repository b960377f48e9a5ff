package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

// TestHowThePageIsServed: off by default, an address and a port, and a certificate with its key.
func TestHowThePageIsServed(t *testing.T) {
	parse := func(web string) (cluster.Document, error) {
		parsed, err := Parse("document", []byte("cluster: alpha\n"+web), nil, nil)
		return parsed.Document, err
	}
	off, err := parse("")
	if err != nil || off.Web != nil {
		t.Fatalf("without the key: %+v, %v", off.Web, err)
	}
	on, err := parse(`web: {listen: ":7444"}`)
	if err != nil || *on.Web != (cluster.Web{Listen: ":7444"}) {
		t.Fatalf("with it: %+v, %v", on.Web, err)
	}
	own, err := parse(`web: {listen: "[::]:443", certificate: /etc/page.pem, key: /etc/page.key}`)
	if err != nil || own.Web.Key != "/etc/page.key" {
		t.Fatalf("with a certificate: %+v, %v", own.Web, err)
	}
	for _, wrong := range []string{
		"web: yes", "web: {}", "web: {listen: 7444}", `web: {listen: ":0"}`, `web: {listen: "node1:7444"}`,
		`web: {listen: ":7444", certificate: /etc/page.pem}`, `web: {listen: ":7444", certificate: a.pem, key: b.pem}`,
		`web: {listen: ":7444", port: 1}`,
	} {
		if _, err := parse(wrong); err == nil || !strings.Contains(err.Error(), "document:2:") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	plan := strings.Join(Diff(off, on), "\n")
	if want := "page changes from none to served on :7444 with a certificate of the cluster's authority"; plan != want {
		t.Errorf("the plan is %q, want %q", plan, want)
	}
	if text := Print(own); !strings.Contains(text, "page: served on [::]:443 with certificate /etc/page.pem") {
		t.Errorf("it is printed as\n%s", text)
	}
}
