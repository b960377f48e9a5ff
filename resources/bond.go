package resources

import "strings"

// Bond is something of a VM's host that the VM's definition names, and that another
// host has not, or has with other contents.
type Bond struct {
	// What names it: "the host device PCI 0000:03:00.0".
	What string `json:"what"`
	// NotLive: the hypervisor refuses a live move while the guest has it.
	NotLive bool `json:"notLive,omitempty"`
	// Stays: what is in it stays on the host when the VM is started on another one.
	Stays bool `json:"stays,omitempty"`
}

// NotLive names what keeps the VM from moving live; "" if nothing does.
func (s Spec) NotLive() string {
	return bondNames(s.Bonds, func(b Bond) bool { return b.NotLive })
}

// Stays names what stays behind on a host when the VM is started on another one.
func (s Spec) Stays() string {
	return bondNames(s.Bonds, func(b Bond) bool { return b.Stays })
}

func bondNames(bonds []Bond, counts func(Bond) bool) string {
	var names []string
	for _, b := range bonds {
		if counts(b) {
			names = append(names, b.What)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// BondWarnings says what the bonds of a VM mean for it, a sentence each.
func (s Spec) BondWarnings() []string {
	var lines []string
	if what := s.NotLive(); what != "" {
		lines = append(lines, "it cannot move live while it has "+what)
	}
	if what := s.Stays(); what != "" {
		lines = append(lines, "started on another node, it is without what is in "+what+
			", unless that is one and the same there")
	}
	return lines
}
