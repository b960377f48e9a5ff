package nodefile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
)

// DefinitionPolicy is what a node's own file says about the VMs that may come up on it. It stands
// there and not in the document, because who may change the document could change it with the
// definition that it is to forbid.
type DefinitionPolicy struct {
	// Declared is set where the file says anything; otherwise every definition is allowed.
	Declared bool
	// Allow are the powers that a definition may have nevertheless.
	Allow []string
}

// powers are what a definition can do on its host that a guest alone cannot, by the words of the
// policy.
var powers = map[string]string{
	"commandline": "gives QEMU arguments of its own (the qemu: namespace)",
	"emulator":    "names the program that is run (<emulator>)",
	"hostdev":     "hands a device of the host out (<hostdev>, or an interface of that type)",
	"filesystem":  "hands a folder or memory of the host out (<filesystem>, <shmem>)",
	"kernel":      "boots a file of the host (<kernel>, <initrd>, <dtb>, firmware that is no distribution's)",
	"chardev":     "connects a device to a file, a device, a socket or a port of the host",
	"unconfined":  "takes the guest out of its confinement, or chooses it (<seclabel>)",
	"file-disk":   "opens a file of the host as a disk, or for what the guest's firmware or TPM keeps",
	"block-disk":  "opens a device of the host as a disk",
	other:         "has what is not known to stay within the guest",
}

// other is the power of whatever the list of harmless things does not have: what a newer libvirt
// understands and this list does not must not pass for harmless.
const other = "other"

// Refuses says which power of a definition this policy does not allow; empty when there is none. A
// definition that cannot be read is refused.
func (p DefinitionPolicy) Refuses(text string) string {
	if !p.Declared {
		return ""
	}
	found, err := powersOf(text)
	if err == nil && strings.TrimSpace(text) == "" {
		err = errors.New("it is not here")
	}
	if err != nil {
		return "it cannot be read: " + err.Error()
	}
	for _, power := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(p.Allow, power) {
			return fmt.Sprintf("it %s, here in %s, and this node's policy (definitions, in %s) does not allow %s",
				powers[power], found[power], Path, power)
		}
	}
	return ""
}

// powersOf finds the powers of a domain's XML, and for each where it has it.
func powersOf(text string) (map[string]string, error) {
	domain, err := readDefinition(text)
	if err != nil {
		return nil, err
	}
	found := findings{}
	found.look(domain, "domain")
	return found, nil
}

// definitionPolicy reads the policy of a node's own file.
func (p *reading) definitionPolicy(into *DefinitionPolicy) func(*yaml.Node) {
	return func(node *yaml.Node) {
		into.Declared = true
		p.Mapping(node, "definitions", strict.Fields{"allow": func(list *yaml.Node) {
			p.Sequence(list, "allow of definitions", func(item *yaml.Node) {
				word, ok := p.Word(item, "an entry of allow")
				if _, known := powers[word]; ok && !known {
					words := slices.Sorted(maps.Keys(powers))
					p.Fault(item, "%q is nothing that definitions can be allowed.%s The words are %s",
						strict.Brief(word), nearest.Hint(word, words), strings.Join(words, ", "))
					return
				}
				into.Allow = append(into.Allow, word)
			})
		}})
	}
}
