package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/owned"
)

const (
	maxOptions = 64
	maxValue   = 1024
)

// modern are the names that replaced others; agents know one or both.
var modern = map[string]string{"ipaddr": "ip", "login": "username", "passwd": "password", "port": "plug",
	"option": "action", "secure": "ssh"}

// prepare turns a declaration into a job. The node's name serves as outlet
// where the agent needs one and none is written out.
func (d *driver) prepare(ctx context.Context, device fence.Device, node string) (*job, error) {
	if device.Driver != Kind {
		return nil, fmt.Errorf("fence device %s: driver %q: %w (%s)", device.Name, device.Driver, ErrKind, Kind)
	}
	j, err := d.declared(device)
	if err == nil {
		var told *metadata
		if told, err = d.library.of(ctx, j.path); err == nil {
			err = told.usable()
		}
		if err != nil {
			err = fence.OptionFault{Option: fence.OptionAgent, Here: true, Err: err}
		}
		if err == nil {
			err = j.fit(told, device, node)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Base(j.path), err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fence device %s: %w", device.Name, err)
	}
	return j, nil
}

// declared takes what can be known without the agent.
func (d *driver) declared(device fence.Device) (*job, error) {
	j := &job{device: device.Name, pairs: map[string]string{}, runner: d.runner, assumed: device.Assumes()}
	if len(device.Options) > maxOptions {
		return nil, fmt.Errorf("it has %d options; %d is the most", len(device.Options), maxOptions)
	}
	if err := device.Schema().Check(device.Options); err != nil {
		return nil, err
	}
	var err error
	if j.path, err = d.find(device.Options[fence.OptionAgent]); err != nil {
		return nil, fence.OptionFault{Option: fence.OptionAgent, Here: true, Err: err}
	}
	if err := passable("the password", device.Password.Reveal()); err != nil {
		return nil, err
	}
	if device.Password != "" {
		j.secrets = append(j.secrets, device.Password.Reveal())
	}
	for _, name := range sortedKeys(device.Options) {
		value := device.Options[name]
		if err := passable("option "+name, value); err != nil {
			return nil, fence.OptionFault{Option: name, Err: err}
		}
		switch name {
		case fence.OptionAgent, fence.OptionIdentity:
		default:
			j.pairs[normal(name)] = value
		}
		if device.Schema().Hides(name, value) {
			j.secrets = append(j.secrets, value)
		}
	}
	return j, nil
}

// passable refuses what the protocol would change on its way.
func passable(what, value string) error {
	if len(value) > maxValue {
		return fmt.Errorf("%s is longer than %d characters", what, maxValue)
	}
	if why := fence.Passable(value); why != "" {
		return fmt.Errorf("%s %s", what, why)
	}
	return nil
}

// find returns the path of an agent's file, which only root may have written:
// it runs as root.
func (d *driver) find(name string) (string, error) {
	base := filepath.Base(name)
	candidates := []string{name}
	if name == base {
		candidates = nil
		for _, folder := range d.folders {
			candidates = append(candidates, filepath.Join(folder, name))
		}
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := owned.Program(path); err != nil {
			return "", fmt.Errorf("agent %s is not run, because it would run as root: %w", name, err)
		}
		return path, nil
	}
	return "", fmt.Errorf("agent %s is not installed on this node; install the package fence-agents (Debian) or "+
		"fence-agents-all (Fedora, RHEL) on every node that may fence", name)
}

// fit lays the declaration over what the agent says that it takes.
func (j *job) fit(told *metadata, device fence.Device, node string) error {
	given := j.pairs
	j.pairs = map[string]string{}
	for _, name := range sortedKeys(given) {
		if err := j.set(told, name, given[name], "option "+name); err != nil {
			return fence.OptionFault{Option: name, Err: err}
		}
	}
	host, port := splitAddress(device.Address)
	for _, part := range []struct{ name, value, what string }{
		{"ip", host, "its address"}, {"ipport", port, "the port of its address"},
		{"username", device.Username, "its username"}, {"password", device.Password.Reveal(), "its password"},
	} {
		if part.value == "" {
			continue
		}
		if err := passable(part.what, part.value); err != nil {
			return err
		}
		if err := j.set(told, part.name, part.value, part.what); err != nil {
			return err
		}
	}
	return j.complete(told, node)
}

// set adds one parameter under the name that this agent knows.
func (j *job) set(told *metadata, name, value, what string) error {
	if replaced := modern[name]; replaced != "" {
		if _, known := told.parameter(replaced); known {
			name = replaced
		}
	}
	p, known := told.parameter(name)
	if !known {
		for old, replaced := range modern {
			if q, oldKnown := told.parameter(old); replaced == name && oldKnown {
				p, known = q, true
			}
		}
	}
	switch _, twice := j.pairs[p.Name]; {
	case !known:
		return fmt.Errorf("the agent takes no %s, which %s would be%s", name, what, hint(name, told.names()))
	case twice:
		return fmt.Errorf("%s is given twice: as %s and in another way", p.Name, what)
	}
	j.pairs[p.Name] = value
	return p.accepts(value)
}

// accepts holds a value against the parameter's type.
func (p parameter) accepts(value string) error {
	switch p.Content.Type {
	case "integer", "second":
		if _, err := strconv.ParseUint(value, 10, 32); err != nil {
			return fmt.Errorf("option %s is %q; it must be a number", p.Name, value)
		}
	case "boolean":
		if !slices.Contains([]string{"1", "0", "yes", "no", "on", "off", "true", "false"}, strings.ToLower(value)) {
			return fmt.Errorf("option %s is %q; say 1 or 0", p.Name, value)
		}
	case "select":
		var choices []string
		for _, choice := range p.Content.Choices {
			choices = append(choices, choice.Value)
		}
		if len(choices) > 0 && !slices.Contains(choices, value) {
			return fmt.Errorf("option %s is %q; it must be one of %s", p.Name, value, strings.Join(choices, ", "))
		}
	}
	return nil
}

// complete adds the outlet and finds what is missing.
func (j *job) complete(told *metadata, node string) error {
	for _, p := range told.Parameters {
		_, given := j.pairs[p.Name]
		if p.Required != "1" || p.Deprecated == "1" || given || p.Content.Default != nil || p.Name == "action" {
			continue
		}
		if p.Name != "plug" && p.Name != "port" {
			return fmt.Errorf("it needs %s, which is not given%s", p.Name, whereToGive(p.Name))
		}
		if j.namesOutlet(told) {
			continue
		}
		if node == "" {
			j.lacksPlug = true
			continue
		}
		j.pairs[p.Name] = node
	}
	return nil
}

// namesOutlet reports whether the outlet is given under one of its older names. The
// agents of virtual machines call it domain, and refuse to be told it twice.
func (j *job) namesOutlet(told *metadata) bool {
	for _, old := range []string{"plug", "port", "domain"} {
		p, known := told.parameter(old)
		if _, given := j.pairs[old]; given && known && (old != "domain" || p.Deprecated == "1") {
			return true
		}
	}
	return false
}

func whereToGive(name string) string {
	switch name {
	case "ip", "ipaddr":
		return "; write the device's address"
	case "username", "login":
		return "; write the device's username"
	case "password", "passwd":
		return "; write the device's password"
	}
	return "; write it as an option"
}

// splitAddress takes "host", "host:port", "[v6]:port" and a bare v6 address.
func splitAddress(address string) (host, port string) {
	if host, port, err := net.SplitHostPort(address); err == nil {
		return host, port
	}
	return strings.Trim(address, "[]"), ""
}

func sortedKeys(options map[string]string) []string {
	keys := make([]string, 0, len(options))
	for key := range options {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// hint names the parameter that was probably meant.
func hint(given string, known []string) string {
	best, least := "", max(2, len(given)/3)+1
	for _, name := range known {
		if d := distance(given, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return "; the agent's action metadata lists what it takes"
	}
	return fmt.Sprintf(". Did you mean '%s'?", best)
}

// distance counts the letters to change, add or take away.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
