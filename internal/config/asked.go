package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
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

// DevicePlaces tells where the fence devices of a document stand, for what is
// found out by asking them.
type DevicePlaces struct {
	file    string
	devices map[string]*yaml.Node
	values  map[string]*yaml.Node
}

// PlacesOfDevices reads a document that has no fault. The arguments are those of
// Prepare; the error is *strict.Faults.
func PlacesOfDevices(name string, text []byte, readFile func(path string) ([]byte, error)) (DevicePlaces, error) {
	p := parser{Reader: strict.Reader{File: name}, readFile: readFile, keepMasks: true}
	if _, err := p.parse(text); err != nil {
		return DevicePlaces{}, err
	}
	return DevicePlaces{file: name, devices: p.places.devices, values: p.places.deviceOptions}, nil
}

// Of says something about a device at its place, or at that of one of its options
// where it has it.
func (d DevicePlaces) Of(device fence.Device, option, message string) strict.Fault {
	f := strict.Fault{File: d.file, Message: message}
	at := d.devices[device.Name]
	if found := entry(entry(d.values[device.Name], "options"), option); found != nil {
		at = found
	}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	return f
}

// entry is the value of a key in a mapping, or nil.
func entry(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
