package strict

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// NamePattern is what nodes, domains, devices and the part of a service's name after the colon
// look like.
var NamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Name makes a field of a name.
func (r *Reader) Name(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if value, ok := r.Word(node, what); ok && r.GoodName(node, what, value) {
			*into = value
		}
	}
}

// GoodName records a fault where the text is no name.
func (r *Reader) GoodName(at *yaml.Node, what, name string) bool {
	if NamePattern.MatchString(name) {
		return true
	}
	r.Fault(at, "%q is not a name for a %s: use up to 63 letters, digits and . _ -, starting with a letter or digit",
		Brief(name), what)
	return false
}

// dotted is what only an IPv4 address looks like: no domain ends in digits.
var dotted = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+$`)

// HostPort reports whether an address is "host" or "host:port".
func HostPort(address string) error {
	if host, port, err := net.SplitHostPort(address); err == nil {
		if dotted.MatchString(host) && net.ParseIP(host) == nil {
			return fmt.Errorf("%q looks like an IP address and is none", Brief(host))
		}
		if host == "" || port == "" {
			return fmt.Errorf("%q lacks a host or a port", Brief(address))
		}
		return portNumber(port)
	}
	if dotted.MatchString(address) && net.ParseIP(address) == nil {
		return fmt.Errorf("%q looks like an IP address and is none", Brief(address))
	}
	if strings.ContainsAny(address, " \t/@") || strings.Count(address, ":") == 1 {
		return fmt.Errorf("%q is not HOST or HOST:PORT", Brief(address))
	}
	return nil
}

func portNumber(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is not a port; use 1 to 65535", Brief(text))
	}
	return nil
}
