package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// alertKeys are the keys of an alert. Its secrets and files are read once all of them are there.
var alertKeys = []key[cluster.Alert]{
	{
		Name:   "program",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.program(&a.Program, "the program of alert "+a.Name)
		},
		Told:  func(a cluster.Alert) string { return a.Program },
		Shown: receiverText,
		Means: "an absolute path, the same on every node that may lead, and its arguments. No shell is involved. It " +
			"runs as root, so it and its folder must belong to root and be writable by nobody else; else it is not run, and " +
			"that is its failure. Arguments are shown with the document and to every user of the host, so one that has a " +
			"secret in it (`--token=...`) is refused: let the program read it from a file",
	},
	{
		Name:    "arguments",
		Beside:  "program",
		Effect:  EffectNow,
		Read:    (*parser).arguments,
		Changed: changedArguments,
	},
	{
		Name:   "url",
		Effect: EffectNow,
		Read:   func(p *parser, a *cluster.Alert) func(*yaml.Node) { return p.Text(&a.URL, "the url of alert "+a.Name) },
		Told:   func(a cluster.Alert) string { return a.URL },
		Shown:  keys.Unseen[cluster.Alert],
		Means:  "an address that begins with `https://`; the event is posted to it as JSON",
	},
	{
		Name:   "secret_url",
		Effect: EffectNow,
		Changed: func(old, new cluster.Alert) keys.Changes {
			return changedUnseen("secret_url", old.SecretURL, new.SecretURL)
		},
		Means: "the same for addresses that are a secret themselves, as those of chat services are: shown to nobody",
	},
	{
		Name:   "secret_url_file",
		Beside: "secret_url",
		Effect: EffectNow,
	},
	{
		Name:   "secret_url_credential",
		Beside: "secret_url",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.Name(&a.SecretURLCredential, "secret_url_credential")
		},
		Told:  func(a cluster.Alert) string { return a.SecretURLCredential },
		Shown: keys.Unseen[cluster.Alert],
	},
	{
		Name:   "ca",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.Text(&a.Authority, "the ca of alert "+a.Name)
		},
		Changed: func(old, new cluster.Alert) keys.Changes { return changedUnseen("ca", old.Authority, new.Authority) },
		Default: "the system's",
		Means:   "PEM: the only authorities from which the address may have its certificate",
	},
	{
		Name:   "ca_file",
		Beside: "ca",
		Effect: EffectNow,
	},
	{
		Name:   "header",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.header(&a.Header, "the header of alert "+a.Name)
		},
		Told:  func(a cluster.Alert) string { return a.Header },
		Shown: headerText,
		Means: "the name and value of an HTTP header; the value is shown to nobody",
	},
	{
		Name:    "secret",
		Beside:  "header",
		Effect:  EffectNow,
		Changed: func(old, new cluster.Alert) keys.Changes { return changedUnseen("secret", old.Secret, new.Secret) },
	},
	{
		Name:   "secret_file",
		Beside: "header",
		Effect: EffectNow,
	},
	{
		Name:   "secret_credential",
		Beside: "header",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.Name(&a.SecretCredential, "secret_credential")
		},
		Told:  func(a cluster.Alert) string { return a.SecretCredential },
		Shown: keys.Unseen[cluster.Alert],
	},
	{
		Name:   "kinds",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.choices(&a.Kinds, "kinds of alert "+a.Name, alertKinds)
		},
		Told:    func(a cluster.Alert) string { return strict.List(a.Kinds) },
		Default: "all",
		Means:   "`node`, `service`, `cluster`",
	},
	{
		Name:   "subjects",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.patterns(&a.Subjects, "subjects of alert "+a.Name)
		},
		Told:    func(a cluster.Alert) string { return strict.List(a.Subjects) },
		Default: "all",
		Means:   "names or patterns such as `vm:*`",
	},
	{
		Name:   "codes",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.codes(&a.Codes, "codes of alert "+a.Name)
		},
		Told:    func(a cluster.Alert) string { return strict.List(a.Codes) },
		Default: "all",
		Means:   "codes of events or patterns of them, such as `fence-*`: [codes](codes.md), or `clusterd codes`",
	},
	{
		Name:   "states",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.choices(&a.States, "states of alert "+a.Name, cluster.EventStates())
		},
		Told:    func(a cluster.Alert) string { return strict.List(a.States) },
		Default: "all events, also those that change no state",
		Means: "the states into which something has to change: of nodes `joining`, `looking`, `online`, `silent`, " +
			"`deaf`, `lost`, `fencing`, `fenced`, `leaving`, `left`, `removed`; of services `starting`, `started`, " +
			"`stopping`, `stopped`, `failed`, `recoverable`, `recovering`, `disabled`, `migrating`; of the cluster " +
			"`disarmed`, `armed`",
	},
	{
		Name:   "node",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			what := "alert " + a.Name
			return p.named(&a.Node, "the node of "+what, what, &p.places.nodeUses)
		},
		Told: func(a cluster.Alert) string { return a.Node },
		Shown: func(a cluster.Alert) string {
			if a.Node == "" {
				return ", told by the leader"
			}
			return ", told by " + a.Node
		},
		Default: "the leader",
		Means:   "the node that tells",
	},
	{
		Name:   "timeout",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.Duration(&a.Timeout, "the timeout of alert "+a.Name, shortestAlertAttempt, longestAlertAttempt)
		},
		Told:    func(a cluster.Alert) string { return a.Timeout.String() },
		Shown:   keys.Unseen[cluster.Alert],
		Default: "10s",
		Means:   "how long one attempt may take; then the program and all it started are killed",
	},
	{
		Name:   "attempts",
		Effect: EffectNow,
		Read: func(p *parser, a *cluster.Alert) func(*yaml.Node) {
			return p.Number(&a.Attempts, "attempts of alert "+a.Name, 1, mostAlertAttempts)
		},
		Told:    func(a cluster.Alert) string { return strconv.Itoa(a.Attempts) },
		Shown:   func(a cluster.Alert) string { return fmt.Sprintf(", %d attempts of %s", a.Attempts, a.Timeout) },
		Default: "5",
		Means:   "how often one event is tried, with pauses of 1 s, 2 s, 4 s and so on up to a minute",
	},
}

// changedAlert tells what differs, never a secret.
func changedAlert(old, new cluster.Alert) keys.Changes {
	return keys.Diff(alertKeys, old.WithDefaults(), new.WithDefaults())
}

// alertText is an alert in words.
func alertText(name string, a cluster.Alert) string {
	return "alert " + name + keys.Show(alertKeys, a.WithDefaults(), ", ")
}

// receiverText tells who is told.
func receiverText(a cluster.Alert) string {
	switch {
	case a.Program != "":
		return ", program " + strings.Join(append([]string{a.Program}, shownArguments(a.Arguments)...), " ")
	case a.URL != "":
		return ", posts to " + a.URL
	case a.SecretURLCredential != "":
		return ", posts to the address in credential " + a.SecretURLCredential
	}
	return ", posts to " + rewrite.Mask
}

// headerText tells what stands in the header, never the secret.
func headerText(a cluster.Alert) string {
	switch {
	case a.SecretCredential != "":
		return ", header " + a.Header + " from credential " + a.SecretCredential
	case a.Header != "":
		return ", header " + a.Header + " " + rewrite.Mask
	}
	return ""
}

// changedArguments tells what changes of a program's arguments, as far as that may be seen.
func changedArguments(old, new cluster.Alert) keys.Changes {
	before, now := shownArguments(old.Arguments), shownArguments(new.Arguments)
	told := keys.Changes(nil).Note(EffectNow, "arguments", strings.Join(before, " "), strings.Join(now, " "))
	if slices.Equal(before, now) && !slices.Equal(old.Arguments, new.Arguments) {
		told = told.And(EffectNow, "a secret among the arguments changes")
	}
	return told
}

// shownArguments are those of an alert's program for others to see. A flag that sounds secret may
// have its value behind it.
func shownArguments(arguments []string) []string {
	shown := slices.Clone(arguments)
	for i, argument := range arguments {
		behind := i > 0 && fence.HoldsSecret(arguments[i-1]) && !strings.Contains(arguments[i-1], "=")
		if behind || fence.HoldsSecret(argument) {
			shown[i] = rewrite.Mask
		}
	}
	return shown
}
