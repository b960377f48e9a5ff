package fence

import "testing"

func TestTwoDeclarationsOfOneDevice(t *testing.T) {
	ipmi := func(address string) Device { return Device{Driver: "ipmi", Address: address} }
	board := func(address, system string) Device {
		return Device{Driver: "redfish", Address: address, Options: map[string]string{"system": system, "insecure": system}}
	}
	agent := func(address string, more ...string) Device {
		options := map[string]string{"agent": "fence_apc"}
		for i := 0; i+1 < len(more); i += 2 {
			options[more[i]] = more[i+1]
		}
		return Device{Driver: "agent", Address: address, Options: options}
	}
	for name, c := range map[string]struct {
		a, b Device
		same bool
	}{
		"one BMC typed twice":             {ipmi("10.0.0.1"), ipmi("10.0.0.1"), true},
		"with its port written out":       {ipmi("10.0.0.1"), ipmi("10.0.0.1:623"), true},
		"in capitals":                     {ipmi("BMC1"), ipmi("bmc1"), true},
		"another spelling of IPv6":        {ipmi("[fd00::1]:623"), ipmi("fd00:0::1"), true},
		"by two drivers":                  {ipmi("10.0.0.1"), board("10.0.0.1", ""), true},
		"other ports":                     {ipmi("10.0.0.1:6230"), ipmi("10.0.0.1:6231"), false},
		"other hosts":                     {ipmi("10.0.0.1"), ipmi("10.0.0.2"), false},
		"two systems of one service":      {board("10.0.0.1", "blade1"), board("10.0.0.1", "blade2"), false},
		"one system of one service":       {board("10.0.0.1", "blade1"), board("10.0.0.1", "blade1"), true},
		"one of them names its system":    {board("10.0.0.1", "blade1"), board("10.0.0.1", ""), true},
		"two plugs":                       {agent("pdu", "plug", "1"), agent("pdu", "plug", "2"), false},
		"one plug":                        {agent("pdu", "plug", "1"), agent("pdu", "plug", "1"), true},
		"one plug, asked otherwise":       {agent("pdu", "plug", "1", "power_wait", "3"), agent("pdu", "plug", "1"), true},
		"by the agent's own options":      {agent("", "ip", "10.0.0.1"), agent("10.0.0.1"), true},
		"an agent that needs no address":  {agent(""), agent(""), false},
		"disks are several nodes' device": {Device{Driver: DriverStorage}, Device{Driver: DriverStorage}, false},
	} {
		same := c.a.Endpoint() != "" && c.a.Endpoint() == c.b.Endpoint() && !ToldApart(c.a, c.b)
		if same != c.same || ToldApart(c.a, c.b) != ToldApart(c.b, c.a) {
			t.Errorf("%s: the same device is %t, want %t", name, same, c.same)
		}
	}
}
