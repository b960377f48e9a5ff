package config

import (
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

// CheckAgents holds the resources of a document without faults against what their
// agents say of themselves. find answers for the agents that are at hand; an error
// means that nothing is known of that type here, which is no fault: what a document
// means does not depend on who reads it. The other arguments are those of Prepare.
//
// The error is *strict.Faults.
func CheckAgents(name string, text []byte, readFile func(path string) ([]byte, error),
	find func(kind string) (resources.AgentInfo, error)) error {
	p := parser{Reader: strict.Reader{File: name}, readFile: readFile, keepMasks: true}
	if _, err := p.parse(text); err != nil {
		return err
	}
	infos := map[string]*resources.AgentInfo{}
	for _, place := range p.places.resources {
		info, asked := infos[place.Type]
		if !asked {
			if found, err := find(place.Type); err == nil {
				info = &found
			}
			infos[place.Type] = info
		}
		if info != nil {
			p.checkParameters(place, *info, p.inherited(place))
		}
	}
	return p.Faults.Failure()
}

func (p *parser) checkParameters(place ResourcePlace, info resources.AgentInfo, whole resources.Resource) {
	for _, fault := range resources.ParameterFaults(info, whole) {
		at := place.at.self
		if fault.Parameter != "" && place.at.parameters != nil {
			for i := 0; i+1 < len(place.at.parameters.Content); i += 2 {
				if place.at.parameters.Content[i].Value == fault.Parameter {
					at = place.at.parameters.Content[i]
				}
			}
		}
		p.Fault(at, "%s %s %s.%s", place.Type, place.Name, fault.Message, nearest.Hint(fault.Parameter, fault.Known))
	}
}

// inherited is a resource as the cluster knows it: with what it inherits.
func (p *parser) inherited(place ResourcePlace) resources.Resource {
	for _, placed := range resources.StartOrder(p.document.Services[place.Service].Tree) {
		if placed.Resource.Type == place.Type && placed.Resource.Name == place.Name {
			return placed.Resource
		}
	}
	return resources.Resource{Type: place.Type, Name: place.Name, Parameters: place.Parameters}
}
