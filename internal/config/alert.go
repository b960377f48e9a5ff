package config

import (
	"crypto/x509"
	"fmt"
	"net/textproto"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/nearest"
)

// Limits of alerts.
const (
	mostAlerts           = 32
	mostChoices          = 100
	mostArguments        = 32
	mostAlertAttempts    = 20
	longestAlertAttempt  = 2 * time.Minute
	shortestAlertAttempt = time.Second
)

// alertKinds are the kinds of events.
var alertKinds = []string{cluster.KindOfNode, cluster.KindOfService, cluster.KindOfCluster}

// alert reads one alert.
func (p *parser) alert(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "alert", name) {
		return
	}
	what := "alert " + name
	a := cluster.Alert{Name: name}
	p.Mapping(value, what, keys.Fields(alertKeys, p, &a))
	if file := entry(value, "ca_file"); file != nil {
		a.Authority = p.fileInstead(value, file, "ca", "the ca_file of "+what)
	}
	given := map[string]*yaml.Node{"secret": p.secretOf(&a, "secret", &a.Secret, value),
		"secret_url": p.secretOf(&a, "secret_url", &a.SecretURL, value)}
	for _, name := range []string{"program", "arguments", "url", "header", "ca", "ca_file"} {
		given[name] = entry(value, name)
	}
	p.checkAlert(what, key, a, given)
	if p.document.Alerts == nil {
		p.document.Alerts = map[string]cluster.Alert{}
	}
	p.document.Alerts[name] = a
}

// secretOf reads a secret of an alert, and returns where it stands. It comes from one place:
// itself, a file, or a credential, which is read with the other keys.
func (p *parser) secretOf(a *cluster.Alert, field string, into *fence.Secret, mapping *yaml.Node) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	what, source := "alert "+a.Name, ""
	var at *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name := mapping.Content[i].Value
		if name == source || name != field && name != field+"_file" && name != field+"_credential" {
			continue
		}
		at = mapping.Content[i+1]
		switch {
		case source != "":
			p.Fault(at, "%s has both %s and %s; keep one", what, source, name)
			continue
		case name == field:
			*into = p.alertSecret(a.Name, field, mapping, at)
		case name == field+"_file":
			*into = p.secretFile(mapping, at, field, what)
		}
		source = name
	}
	return at
}

// checkAlert checks what belongs together.
func (p *parser) checkAlert(what string, key *yaml.Node, a cluster.Alert, given map[string]*yaml.Node) {
	ways := 0
	for _, field := range []string{"program", "url", "secret_url"} {
		if given[field] != nil {
			ways++
		}
	}
	if ways != 1 {
		p.Fault(key, "%s needs one of program, url and secret_url, and has %d", what, ways)
		return
	}
	together := func(field, with string) {
		if node := given[field]; node != nil && given[with] == nil {
			p.Fault(node, "%s of %s goes with %s", field, what, with)
		}
	}
	together("arguments", "program")
	together("secret", "header")
	together("header", "secret")
	if given["program"] != nil {
		for _, field := range []string{"header", "ca", "ca_file"} {
			if node := given[field]; node != nil {
				p.Fault(node, "%s of %s goes with a url", field, what)
			}
		}
	}
	if a.URL != "" {
		p.checkAddress(given["url"], "the url of "+what, a.URL, true)
	}
	if a.SecretURL != "" && a.SecretURL != rewrite.Mask && !fence.IsReference(a.SecretURL.Reveal()) {
		p.checkAddress(given["secret_url"], "the secret_url of "+what, a.SecretURL.Reveal(), false)
	}
	if a.Authority != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(a.Authority)) {
		at := given["ca"]
		if at == nil {
			at = given["ca_file"]
		}
		p.Fault(at, "the ca of %s has no certificate in PEM", what)
	}
}

// checkAddress refuses what cannot be posted to. What is wrong with a secret
// address is told without repeating it.
func (p *parser) checkAddress(at *yaml.Node, what, address string, shown bool) {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Host == "":
		p.Fault(at, "%s is not an address such as https://host/path", what)
	case parsed.Scheme != "https":
		p.Fault(at, "%s must begin with https://; events tell what is broken, and go over no open line", what)
	case shown && parsed.User != nil:
		p.Fault(at, "%s has a password in it; write it as secret_url, which is shown to nobody", what)
	}
}

// program makes a field of the path of a program.
func (p *parser) program(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		word, ok := p.Word(node, what)
		if !ok {
			return
		}
		if !filepath.IsAbs(word) || filepath.Clean(word) != word {
			p.Fault(node, "%s must be an absolute path, the same on every node that may lead; no shell looks for it", what)
			return
		}
		*into = word
	}
}

// header makes a field of the name of an HTTP header.
func (p *parser) header(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		word, ok := p.Word(node, what)
		if !ok {
			return
		}
		if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(word) > 64 {
			p.Fault(node, "%s is %q; the name of a header has up to 64 letters, digits and -", what, strict.Brief(word))
			return
		}
		if name := textproto.CanonicalMIMEHeaderKey(word); slices.Contains([]string{"Host", "Content-Type",
			"Content-Length", "Transfer-Encoding", "Connection"}, name) {
			p.Fault(node, "%s cannot be %s", what, name)
			return
		}
		*into = word
	}
}

// words makes a field of a list of texts.
func (p *parser) words(into *[]string, what string, most int) func(*yaml.Node) {
	return func(node *yaml.Node) {
		p.Sequence(node, what, func(item *yaml.Node) {
			word, ok := p.Literal(item, "one of the "+what)
			switch {
			case !ok:
			case len(*into) >= most:
				p.Fault(item, "%s are more than %d", what, most)
			case strings.ContainsRune(word, 0):
				p.Fault(item, "one of the %s has a zero byte", what)
			default:
				*into = append(*into, word)
			}
		})
	}
}

// arguments reads those of an alert's program. They are shown wherever the alert is, and on the
// host to whoever lists the processes, so a secret does not belong there. One that is in force
// already holds nothing else up, and only the daemon knows whether it is.
func (p *parser) arguments(a *cluster.Alert) func(*yaml.Node) {
	what := "arguments of alert " + a.Name
	return func(node *yaml.Node) {
		p.words(&a.Arguments, what, mostArguments)(node)
		for i, argument := range a.Arguments {
			if !fence.HoldsSecret(argument) || i >= len(node.Content) {
				continue
			}
			at, inForce := node.Content[i], p.keepMasks
			if p.previous != nil {
				inForce = slices.Contains(p.previous.Alerts[a.Name].Arguments, argument)
			}
			switch {
			case p.history:
			case inForce:
				p.warn(at, "one of the %s %s", what, secretArgument)
			default:
				p.Fault(at, "one of the %s %s", what, secretArgument)
			}
		}
	}
}

// secretArgument is what is wrong with one, and what to do about it.
const secretArgument = "has a secret in it, and arguments are shown to everybody. Put it into a file that root alone " +
	"may read, on each node that may tell the alert, and name the file (--token-file=PATH); or post to a url, whose " +
	"secret is kept sealed"

// choices makes a field of a list of known words.
func (p *parser) choices(into *[]string, what string, known []string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		p.Sequence(node, what, func(item *yaml.Node) {
			var word string
			p.Choice(&word, "one of the "+what, known...)(item)
			if word != "" && !slices.Contains(*into, word) {
				*into = append(*into, word)
			}
		})
		if len(*into) == 0 && node.Kind == yaml.SequenceNode && len(node.Content) == 0 {
			p.Fault(node, "%s are empty; leave them out to choose all", what)
		}
	}
}

// patterns makes a field of a list of patterns such as vm:*.
func (p *parser) patterns(into *[]string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		p.words(into, what, mostChoices)(node)
		for i, pattern := range *into {
			if _, err := path.Match(pattern, ""); err != nil && i < len(node.Content) {
				p.Fault(node.Content[i], "%q is not a pattern; * and ? stand for any letters, for example vm:*",
					strict.Brief(pattern))
			}
		}
	}
}

// codes makes a field of a list of codes or patterns of codes, each of which some code fits.
func (p *parser) codes(into *[]string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		p.patterns(into, what)(node)
		for i, pattern := range *into {
			if !message.Known(pattern) && i < len(node.Content) {
				p.Fault(node.Content[i], "no event has a code like %q; `clusterd codes` lists them.%s", strict.Brief(pattern),
					nearest.Hint(pattern, message.Names()))
			}
		}
	}
}

// alertSecret reads a secret that is written out, or keeps the old one where the
// mask stands.
func (p *parser) alertSecret(alert, field string, mapping, node *yaml.Node) fence.Secret {
	what := fmt.Sprintf("the %s of alert %s", field, alert)
	// kindOf would repeat the value, so the type is checked here in other words.
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" || node.Value == "" ||
		strings.ContainsAny(node.Value, "\r\n") {
		p.Fault(node, "%s must be text on one line", what)
		return ""
	}
	if node.Value != rewrite.Mask {
		return fence.Secret(node.Value)
	}
	if p.keepMasks {
		return rewrite.Mask
	}
	if p.previous != nil {
		old := p.previous.Alerts[alert].Secret
		if field == "secret_url" {
			old = p.previous.Alerts[alert].SecretURL
		}
		if old != "" && old != rewrite.Mask {
			p.replace(mapping, node, "", string(old))
			return old
		}
	}
	p.Fault(node, "%s is masked, and there is no old one to keep; write it out", what)
	return ""
}

// secretFile reads a secret from the only line of a file.
func (p *parser) secretFile(mapping, node *yaml.Node, field, what string) fence.Secret {
	content := p.fileContents(node, "the "+field+"_file of "+what)
	secret, rest, _ := strings.Cut(content, "\n")
	secret = strings.TrimSuffix(secret, "\r")
	if content != "" && (secret == "" || strings.TrimSpace(rest) != "") {
		p.Fault(node, "the %s_file of %s must hold the secret on its only line", field, what)
		return ""
	}
	if secret != "" {
		p.replace(mapping, node, field, secret)
	}
	return fence.Secret(secret)
}

// fileInstead reads a file whose contents take the place of its name.
func (p *parser) fileInstead(mapping, node *yaml.Node, field, what string) string {
	content := p.fileContents(node, what)
	if content != "" {
		p.replace(mapping, node, field, content)
	}
	return content
}

func (p *parser) fileContents(node *yaml.Node, what string) string {
	content, _ := p.contents(node, what)
	return content
}
