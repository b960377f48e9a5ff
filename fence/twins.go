package fence

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// defaultPorts are written or left out, and mean the same.
var defaultPorts = map[string]string{"ipmi": "623", "ipmitool": "623", "redfish": "443"}

// neutral are options that say how a device is asked and not which outlet of it: two
// declarations that differ in nothing else are the same device.
var neutral = map[string]bool{
	optionAgentName: true, "identity": true, "cipher": true, "privilege": true, "privlvl": true, "auth": true,
	"ca": true, "fingerprint": true, "insecure": true, "lanplus": true, "method": true, "delay": true,
	"verbose": true, "verbose_level": true, "quiet": true, "debug": true, "debug_file": true,
	"login": true, "username": true, "ssl": true, "ssl_secure": true, "ssl_insecure": true, "inet4_only": true,
	"inet6_only": true, "ip": true, "ipaddr": true,
}

const optionAgentName = "agent"

// Endpoint is where a power device is asked, spelled in one way; "" where the
// declaration does not say.
func (d Device) Endpoint() string {
	if d.Effect() != ByPower {
		return ""
	}
	address := d.Address
	for _, option := range []string{"ip", "ipaddr"} {
		if address == "" && d.Driver == optionAgentName {
			address = d.Options[option]
		}
	}
	host, port := splitPort(address)
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.String()
	}
	if host == "" || port == "" || port == defaultPorts[d.Driver] {
		return strings.ToLower(host)
	}
	return strings.ToLower(host) + " " + port
}

// splitPort takes an address apart; an IPv6 address with a port stands in brackets.
func splitPort(address string) (host, port string) {
	end := strings.LastIndexByte(address, ':')
	switch {
	case end < 0, strings.HasSuffix(address, "]"), address[0] != '[' && strings.Count(address, ":") > 1:
		return strings.Trim(address, "[]"), ""
	}
	return strings.Trim(address[:end], "[]"), address[end+1:]
}

// ToldApart reports whether two declarations of one Endpoint name two things there: two
// outlets, two systems behind one service. Where they leave it open, whoever is shot by
// one of them dies by the other. A service that is asked for its only system may be asked
// by name as well; the outlets of agents have many names.
func ToldApart(a, b Device) bool {
	if a.Driver != optionAgentName || b.Driver != optionAgentName {
		one, other := a.Options["system"], b.Options["system"]
		return one != "" && other != "" && one != other
	}
	for _, pair := range [][2]Device{{a, b}, {b, a}} {
		for _, option := range slices.Sorted(maps.Keys(pair[0].Options)) {
			if value := pair[0].Options[option]; !neutralOption(option) && value != pair[1].Options[option] {
				return true
			}
		}
	}
	return false
}

func neutralOption(name string) bool {
	return neutral[name] || strings.HasSuffix(name, "_timeout") || strings.HasSuffix(name, "_wait") ||
		strings.HasSuffix(name, "_prompt")
}
