package domainxml

import (
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// memoryXML is an amount of memory as libvirt writes it; without a unit it is KiB.
type memoryXML struct {
	Unit string `xml:"unit,attr"`
	Text string `xml:",chardata"`
}

// read is the amount; it is not ok where it is none.
func (m memoryXML) read() (resources.Bytes, bool) {
	amount, err := strconv.ParseUint(strings.TrimSpace(m.Text), 10, 64)
	if err != nil {
		return 0, false
	}
	return resources.MemoryIn(amount, m.Unit)
}

// cellXML is a NUMA cell of a guest; the cells hold its memory where no other element says it.
type cellXML struct {
	Memory string `xml:"memory,attr"`
	Unit   string `xml:"unit,attr"`
}

// sizeXML is what a definition says about memory and processors.
type sizeXML struct {
	Memory    *memoryXML `xml:"memory"`
	CPUs      string     `xml:"vcpu"`
	HugePages *struct{}  `xml:"memoryBacking>hugepages"`
	Cells     []cellXML  `xml:"cpu>numa>cell"`
}

// demand is what the VM takes of its node: the most memory that the guest can have without more
// being plugged in, what QEMU takes beside it, and its processors. A problem says why it cannot be
// known.
func (s sizeXML) demand() (d resources.Demand, problem string) {
	var guest resources.Bytes
	switch {
	case s.Memory != nil:
		amount, ok := s.Memory.read()
		if !ok {
			return d, `has a <memory> that is no amount of memory: ` + strconv.Quote(brief(strings.TrimSpace(s.Memory.Text)+
				" "+s.Memory.Unit))
		}
		guest = amount
	default:
		for _, cell := range s.Cells {
			amount, ok := memoryXML{Unit: cell.Unit, Text: cell.Memory}.read()
			if !ok {
				return d, `has a NUMA cell whose memory is no amount of memory: ` + strconv.Quote(brief(cell.Memory+" "+cell.Unit))
			}
			guest += amount
		}
	}
	if guest > 0 {
		d.Memory = resources.Overhead(guest)
		if s.HugePages != nil {
			d.Huge = guest
		} else {
			d.Memory += guest
		}
	}
	if guest > 0 {
		d.CPUs = 1
	}
	if text := strings.TrimSpace(s.CPUs); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 {
			return d, `has a <vcpu> that is no number of processors: ` + strconv.Quote(brief(text))
		}
		d.CPUs = number
	}
	return d, ""
}
