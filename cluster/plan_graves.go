package cluster

import "fmt"

// planGraves says what keeps the disks of removed services reserved, where only a
// person can end it: nobody stops what nobody declares.
func (p *planner) planGraves() {
	for _, uuid := range p.Tombstones.Keys() {
		grave, _ := p.Tombstones.Get(uuid)
		name := grave.Spec.Name
		for _, h := range grave.Holders {
			if _, why := p.workable(h.Node); why != "" {
				p.wait(name, fmt.Sprintf("removed from the document, and may still be running on %s, so its disks stay reserved; %s", h.Node, why), p.nextFor(grave))
				continue
			}
			p.wait(name, fmt.Sprintf("removed from the document, and not proven gone from %s, so its disks stay reserved", h.Node),
				"if it still runs there, stop it with `virsh destroy`, or declare it again with its UUID "+uuid)
		}
	}
}

// forgetStarts forgets the failed starts on a node that is no member any more.
func (t *transaction) forgetStarts(node string) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		var rest []FailedStart
		for _, f := range service.FailedOn {
			if f.Node != node {
				rest = append(rest, f)
			}
		}
		if len(rest) != len(service.FailedOn) {
			service.FailedOn = rest
			t.Services.Set(name, service)
		}
	}
}
