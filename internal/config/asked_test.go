package config

import (
	"errors"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// address is an agent as meta-data describes it.
func address(kind string) (resources.AgentInfo, error) {
	switch kind {
	case "ocf:heartbeat:IPaddr2":
		return resources.AgentInfo{Parameters: []resources.AgentParameter{{Name: "ip", Required: true},
			{Name: "cidr_netmask"}, {Name: "nic"}}}, nil
	case "ocf:heartbeat:exportfs":
		return resources.AgentInfo{
			Parameters: []resources.AgentParameter{{Name: "fsid"}, {Name: "directory", Required: true}}}, nil
	}
	return resources.AgentInfo{}, errors.New("is not installed")
}

func TestParametersAreHeldAgainstTheirAgent(t *testing.T) {
	err := CheckAgents("alpha.yaml", []byte(`cluster: a
services:
  service:s:
    resources:
      - type: ocf:heartbeat:IPaddr2
        parameters: {cidr_netmsk: 24}
      - {type: "ocf:other:thing", parameters: {any: thing}}
`), nil, address)
	want := "alpha.yaml:5:9: ocf:heartbeat:IPaddr2 s-ipaddr2 needs the parameter ip.\n" +
		`alpha.yaml:6:22: ocf:heartbeat:IPaddr2 s-ipaddr2 has no parameter "cidr_netmsk". Did you mean 'cidr_netmask'?`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	// What is inherited is not missing.
	if err := CheckAgents("alpha.yaml", []byte(shop), nil, address); err != nil {
		t.Error(err)
	}
}
