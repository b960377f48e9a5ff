package config

import (
	"sort"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

// places remembers where things stand, for checks that need the whole document and faults that
// name two places.
type places struct {
	nodes, domains, devices, services map[string]*yaml.Node
	// deviceOptions are the devices' declarations.
	deviceOptions map[string]*yaml.Node

	nodeUses, domainUses, deviceUses []use
	serviceUses                      []serviceUse
	definitions                      []definitionPlace
	twoNode                          *yaml.Node
	resources                        []ResourcePlace
	// unsearched says that the search for services that could never all run ended at its bound.
	unsearched bool
}

// use is a reference by name.
type use struct {
	name, by string
	at       *yaml.Node
}

type definitionPlace struct {
	service, title, uuid string
	disks                []resources.Disk
	bridges              []string
	at                   *yaml.Node
}

func newPlaces() places {
	return places{
		nodes:   map[string]*yaml.Node{},
		domains: map[string]*yaml.Node{},
		devices: map[string]*yaml.Node{},

		deviceOptions: map[string]*yaml.Node{},
		services:      map[string]*yaml.Node{},
	}
}

// checkReferences checks what only the whole document can show.
func (p *parser) checkReferences() {
	p.resolve(p.places.nodeUses, p.places.nodes, "node")
	p.resolve(p.places.domainUses, p.places.domains, "domain")
	p.resolve(p.places.deviceUses, p.places.devices, "device")
	p.attach()
	p.checkTwoNode()
	p.checkDeviceOwners()
	if device, why := p.document.TwinDevices(); device != "" {
		p.Fault(p.places.devices[device], "%s", why)
	}
	p.checkGuards()
	p.checkDefinitions()
	p.checkDisks()
	p.checkRules()
	if !p.history {
		p.checkPlaces()
	}
}

// attach says of each service which networks it is attached to.
func (p *parser) attach() {
	p.networks.Resolve()
	if len(p.networks.Declared) == 0 {
		return
	}
	p.document.Networks = p.networks.Declared
	for _, d := range p.places.definitions {
		if spec := p.document.Services[d.service]; len(d.bridges) > 0 {
			spec.Networks = p.networks.Of(spec.Networks, d.bridges)
			p.document.Services[d.service] = spec
		}
	}
}

// resolve finds references to what is not declared.
func (p *parser) resolve(uses []use, declared map[string]*yaml.Node, what string) {
	names := make([]string, 0, len(declared))
	for name := range declared {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, u := range uses {
		if declared[u.name] != nil {
			continue
		}
		p.Fault(u.at, "%s names %s %q, which is not declared under %ss.%s", u.by, what, strict.Brief(u.name), what,
			nearest.Hint(u.name, names))
	}
}

// checkDeviceOwners refuses a device that two nodes name: a BMC powers one machine, and the
// other node's fence would be confirmed by the death of the wrong one.
func (p *parser) checkDeviceOwners() {
	first := map[string]use{}
	for _, u := range p.places.deviceUses {
		owner, seen := first[u.name]
		switch {
		case !seen:
			first[u.name] = u
		case owner.by != u.by && !p.document.Devices[u.name].Shared():
			p.Fault(u.at, "device %s is already the device of node %s (line %d); a BMC belongs to one machine", u.name,
				owner.by, owner.at.Line)
		}
	}
}

// checkDefinitions refuses VMs that a hypervisor could not tell apart.
func (p *parser) checkDefinitions() {
	byUUID, byTitle := map[string]definitionPlace{}, map[string]definitionPlace{}
	for _, d := range p.places.definitions {
		if other, taken := byUUID[d.uuid]; taken && d.uuid != "" {
			p.Fault(d.at, "%s has the UUID %s, which %s (line %d) has too; give each VM its own", d.service, d.uuid,
				other.service, other.at.Line)
		} else {
			byUUID[d.uuid] = d
		}
		if other, taken := byTitle[d.title]; taken && d.title != "" {
			p.Fault(d.at, "%s has the libvirt name %q, which %s (line %d) has too; give each VM its own", d.service,
				strict.Brief(d.title), other.service, other.at.Line)
		} else {
			byTitle[d.title] = d
		}
	}
}

// checkDisks holds law L9 for what is declared: no disk may be writable in two services unless
// both declare it shareable. Apply holds it again, for what was started.
func (p *parser) checkDisks() {
	type owner struct {
		place definitionPlace
		disk  resources.Disk
	}
	// Of each identity the first shared and the first exclusive writer are enough to find a conflict.
	type writers struct{ shared, exclusive *owner }
	seen := map[string]writers{}
	for _, d := range p.places.definitions {
		for _, disk := range d.disks {
			if disk.ReadOnly {
				continue
			}
			w := seen[disk.Identity]
			for _, other := range []*owner{w.exclusive, w.shared} {
				if other != nil && len(resources.Conflicts([]resources.Disk{disk}, []resources.Disk{other.disk})) > 0 {
					p.diskFault(d, other.place, disk.Identity)
					break
				}
			}
			switch {
			case disk.Shared && w.shared == nil:
				w.shared = &owner{d, disk}
			case !disk.Shared && w.exclusive == nil:
				w.exclusive = &owner{d, disk}
			}
			seen[disk.Identity] = w
		}
	}
}

func (p *parser) diskFault(second, first definitionPlace, identity string) {
	if first.service == second.service {
		p.Fault(second.at, "%s has the disk %s twice", second.service, identity)
		return
	}
	remedy := "give each VM its own disk, or mark it <shareable/> in both"
	if !isVM(second.service) || !isVM(first.service) {
		remedy = "give each service its own"
	}
	p.Fault(second.at, "%s could write to the disk %s, and so could %s (line %d): %s", second.service, identity,
		first.service, first.at.Line, remedy)
}
