package power

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxDetail bounds what is quoted of a library's or a program's error text.
const maxDetail = 240

// hints turn error texts into advice. Only advice: no decision hangs on these
// texts, since every failure is Unknown.
var hints = []struct{ mark, advice string }{
	{"executable file not found", "install the package ipmitool on this node, or use driver: ipmi"},
	{"no such host", "the name does not resolve on this node; check the device's address"},
	{"rakp authentication failed", "it refuses the login; check username and password of the device"},
	{"unauthorized name", "it refuses the login; check username and password of the device"},
	{"invalid role", "the user may not log in with that privilege; set option privilege: operator, or raise the " +
		"user's limit on the BMC"},
	{"unauthorized role", "the user may not log in with that privilege; set option privilege: operator, or raise the " +
		"user's limit on the BMC"},
	{"privilege", "the user may not log in with that privilege; set option privilege: operator, or raise the user's " +
		"limit on the BMC"},
	{"no cipher suite match", "it refuses the cipher suite; set option cipher to the one it allows (3 or 17)"},
	{"invalid authentication algorithm", "it refuses the cipher suite; set option cipher to the one it allows (3 or 17)"},
	{errLoginRefused.Error(), "it refuses the login; check username, password and privilege of the device"},
	{"timed out", noAnswer},
	{"before udp read deadline", noAnswer},
	{"deadline exceeded", noAnswer},
	{"connection refused", noAnswer},
	{"no route to host", noAnswer},
	{"network is unreachable", noAnswer},
	{"unable to establish",
		"it does not answer or refuses the login; check address, IPMI over LAN, username and password"},
}

const (
	noAnswer        = "it does not answer; check that this node reaches the address and that IPMI over LAN is enabled"
	noRedfishAnswer = "it does not answer; check that this node reaches the address and that the BMC's HTTPS " +
		"service is enabled"
	pinAdvice = "compare the fingerprint below with the one that the BMC shows on its own pages, and then set " +
		"option fingerprint to it"
)

// redfishHints are the same for Redfish; the marks are lower case.
var redfishHints = []struct{ mark, advice string }{
	{"no such host", "the name does not resolve on this node; check the device's address"},
	{errLoginRefused.Error(), "it refuses the login; check username and password of the device, and whether the BMC " +
		"has locked the account"},
	{errFingerprint.Error(),
		"its certificate is not the pinned one: it was replaced, or something else answers there; " + pinAdvice},
	{"certificate has expired", "its certificate is outside its dates; check the clock of this node, renew the " +
		"certificate on the BMC, or " + pinAdvice},
	{"unknown authority", "no authority that this node trusts has signed its certificate; give the authority's PEM " +
		"in option ca, or " + pinAdvice},
	{"x509: certificate", "its certificate is for another name than the device's address; use that name " +
		"as address, or " + pinAdvice},
	{"x509: cannot validate", "its certificate is for another name than the device's address; use that name as " +
		"address, or " + pinAdvice},
	{"x509:", "its certificate cannot be verified; " + pinAdvice},
	{"protocol version", "it speaks only TLS older than 1.2; update its firmware, or use driver: ipmi"},
	{"handshake failure", "it shares no cipher with this node; update its firmware, or use driver: ipmi"},
	{"sessionlimit", "all its sessions are taken; close some on the BMC, or set option auth: basic, which needs none"},
	{"does not look like a tls handshake",
		"what answers there does not speak TLS; check address and port (Redfish is on 443 unless moved)"},
	{errNotRedfish.Error(), "what answers there is not a Redfish service; check address and port, or use driver: " +
		"ipmi if the board is older"},
	{errWhichSystem.Error(), "name the one that is this node with option system"},
	{errElsewhere.Error(), "it points to another host; use that host as the device's address"},
	{errNoReset.Error(), "it does not offer the power command that fencing needs; look for a newer firmware, or use " +
		"driver: ipmi"},
	{"status 403", "the user may not switch power; give it the role Operator on the BMC"},
	{"timed out", noRedfishAnswer},
	{"timeout", noRedfishAnswer},
	{"deadline exceeded", noRedfishAnswer},
	{"connection refused", noRedfishAnswer},
	{"connection reset", noRedfishAnswer},
	{"no route to host", noRedfishAnswer},
	{"network is unreachable", noRedfishAnswer},
	{"eof", noRedfishAnswer},
}

// explain names the BMC, says what it did not do, what to do next and, in
// brackets, the library's words with every secret removed.
func (s *session) explain(what string, err error) error {
	detail := s.settings.scrub(err.Error())
	advice := "see the detail"
	lower := strings.ToLower(detail)
	known := hints
	if s.settings.kind == KindRedfish {
		known = redfishHints
	}
	for _, hint := range known {
		if strings.Contains(lower, strings.ToLower(hint.mark)) {
			advice = hint.advice
			break
		}
	}
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "..."
	}
	clean := fmt.Errorf("%s did not %s: %s (%s)", s.settings, what, advice, detail)
	for _, kept := range []error{context.DeadlineExceeded, context.Canceled, errTooManyCalls, errLoginRefused} {
		if errors.Is(err, kept) {
			return kindred{clean, kept}
		}
	}
	return clean
}

// kindred keeps the kind of an error whose text was rewritten. The original is
// not kept: it may carry a secret.
type kindred struct {
	error
	kind error
}

// Unwrap returns the kind.
func (k kindred) Unwrap() error { return k.kind }

// scrub removes the password in every spelling an error text could carry it
// and folds lines.
func (s settings) scrub(text string) string {
	if s.password != "" {
		quoted := strconv.Quote(s.password)
		object, _ := json.Marshal(s.password)
		basic := base64.StdEncoding.EncodeToString([]byte(s.username + ":" + s.password))
		for _, spelling := range []string{s.password, quoted[1 : len(quoted)-1], string(object[1 : len(object)-1]),
			fmt.Sprintf("%x", s.password), basic} {
			text = strings.ReplaceAll(text, spelling, "********")
		}
	}
	return strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "?")
}
