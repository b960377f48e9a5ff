package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/strict"
)

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
