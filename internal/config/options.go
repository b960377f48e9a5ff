package config

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/nearest"
)

// What follows repeats some rules of the fence drivers, which this package may
// not know: a fault should be told with its line when the document is written,
// and not on the night when the driver reads it. The drivers hold them again.

// optionRules are the options of each driver that has a fixed set, and what
// their values must be. The agent's own are known to the agent alone.
var optionRules = map[string]map[string]func(string) error{
	"ipmi":     ipmiOptions,
	"ipmitool": ipmiOptions,
	fence.DriverStorage: {
		fence.OptionDevices: arrayDisks,
		"command":           absolutePath,
	},
	fence.DriverWatchdog: {
		fence.OptionWatchdog: absolutePath,
		fence.OptionTimeout:  anything, // these two are checked together
		fence.OptionLease:    anything,
	},
	fence.DriverPill: {
		fence.OptionDevices:  pillDisks,
		fence.OptionWatchdog: absolutePath,
		fence.OptionTimeout:  anything,
	},
	"redfish": {
		"auth":        oneOf("session", "basic"),
		"insecure":    oneOf("true", "false"),
		"ca":          certificates,
		"fingerprint": fingerprints,
		"identity":    machineUUID,
		"system":      anything,
	},
}

var ipmiOptions = map[string]func(string) error{
	"cipher":    oneOf("3", "17"),
	"privilege": oneOf("administrator", "operator"),
	"identity":  machineUUID,
}

// agentRefusals are options that an agent may know and a device may not have.
var agentRefusals = map[string]string{
	"action":         "the cluster chooses the action",
	"option":         "the cluster chooses the action",
	"password":       "options are shown; write it as the device's password or password_file",
	"passwd":         "options are shown; write it as the device's password or password_file",
	"delay":          "the agent would wait after it was asked whether the fence is still wanted",
	"missing_as_off": "a missing outlet is not one that is off",
}

// deviceNodes are where the parts of a device stand.
type deviceNodes struct {
	key, options, password *yaml.Node
}

// checkOptions holds the options of a device against its driver.
func (p *parser) checkOptions(driver, what string, at deviceNodes) {
	rules, fixed := optionRules[driver]
	if fixed && at.options != nil && at.options.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.options.Content); i += 2 {
			p.checkOption(what, rules, at.options.Content[i], at.options.Content[i+1])
		}
		p.checkTrust(what, at.options)
	}
	if driver == "agent" {
		p.checkAgent(what, at)
	}
}

func (p *parser) checkOption(what string, rules map[string]func(string) error, key, value *yaml.Node) {
	rule, known := rules[key.Value]
	if !known {
		names := make([]string, 0, len(rules))
		for name := range rules {
			names = append(names, name)
		}
		sort.Strings(names)
		p.fault(key, "option %q of %s is not known to its driver; there are %s.%s", brief(key.Value), what,
			strings.Join(names, ", "), nearest.Hint(key.Value, names))
		return
	}
	if value.Kind != yaml.ScalarNode || value.Value == Mask || fence.IsReference(value.Value) {
		return
	}
	if err := rule(value.Value); err != nil {
		p.fault(value, "option %s of %s %v", key.Value, what, err)
	}
}

// checkTrust refuses two answers to the question which certificate is right.
func (p *parser) checkTrust(what string, options *yaml.Node) {
	var first string
	for i := 0; i+1 < len(options.Content); i += 2 {
		name := options.Content[i].Value
		if name != "ca" && name != "fingerprint" && (name != "insecure" || options.Content[i+1].Value != "true") {
			continue
		}
		if first != "" {
			p.fault(options.Content[i], "options %s and %s of %s exclude each other; keep one", first, name, what)
			return
		}
		first = name
	}
}

// checkAgent finds what can be known without the agent.
func (p *parser) checkAgent(what string, at deviceNodes) {
	named := false
	if at.options != nil && at.options.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.options.Content); i += 2 {
			key, value := at.options.Content[i], at.options.Content[i+1]
			named = named || key.Value == "agent"
			if value.Kind == yaml.ScalarNode {
				p.checkAgentOption(what, at.options, key, value)
			}
		}
	}
	if !named {
		p.fault(at.key, "%s has no option agent; name the fence agent, for example options: {agent: fence_apc_snmp}", what)
	}
	if at.password != nil && at.password.Kind == yaml.ScalarNode && at.password.Value != Mask &&
		!passable(at.password.Value) {
		p.fault(at.password, "the password of %s stands in double quotes of its own, or has spaces around it or control "+
			"characters, which the fence agents' protocol takes away; choose another password", what)
	}
}

func (p *parser) checkAgentOption(what string, options, key, value *yaml.Node) {
	name := strings.ReplaceAll(strings.ToLower(key.Value), "-", "_")
	switch why := agentRefusals[name]; {
	case why != "":
		p.fault(key, "option %s of %s is not allowed: %s", key.Value, what, why)
	case !passable(value.Value):
		p.fault(value, "option %s of %s has outer quotes or spaces, or control characters, which the fence agents' "+
			"protocol takes away", key.Value, what)
	case name == "agent":
		base := filepath.Base(value.Value)
		if why := noPowerAgent(base, what, options); why != "" {
			p.fault(value, "option agent of %s is %s, which %s", what, base, why)
			return
		}
		if !strings.HasPrefix(base, "fence_") || (base != value.Value && !filepath.IsAbs(value.Value)) {
			p.fault(value, "option agent of %s is %q; write the name of a fence agent (fence_...) or its absolute path", what,
				brief(value.Value))
		}
	case name == "identity" && value.Value != "assumed":
		p.fault(value, "option identity of %s is %q; say assumed, or leave it out", what, brief(value.Value))
	}
}

// passable reports whether a value reaches an agent as it is written.
func passable(value string) bool {
	quoted := len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`)
	return !quoted && strings.TrimSpace(value) == value &&
		!strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func anything(string) error { return nil }

func oneOf(words ...string) func(string) error {
	return func(value string) error {
		if slices.Contains(words, value) {
			return nil
		}
		return fmt.Errorf("is %q; it must be one of %s", brief(value), strings.Join(words, ", "))
	}
}

func machineUUID(value string) error {
	if raw, err := hex.DecodeString(strings.ReplaceAll(value, "-", "")); err != nil || len(raw) != 16 {
		return fmt.Errorf("is %q; write the UUID that the BMC tells, 32 hexadecimal digits", brief(value))
	}
	return nil
}

func fingerprints(value string) error {
	for _, one := range strings.Split(value, ",") {
		if raw, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(one)); err != nil || len(raw) != 32 {
			return fmt.Errorf("has %q; write the SHA-256 of the BMC's certificate, 64 hexadecimal digits", brief(one))
		}
	}
	return nil
}

func certificates(value string) error {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(value)) {
		return fmt.Errorf("holds no certificate; write the PEM of the authority that signed the BMC's, beginning with " +
			"-----BEGIN CERTIFICATE-----")
	}
	return nil
}
