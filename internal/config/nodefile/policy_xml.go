package nodefile

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	qemuNamespace = "http://libvirt.org/schemas/domain/qemu/1.0"
	// deepestDefinition and mostElements are far beyond what a domain's XML has. The door has to
	// answer within seconds, and libvirt waits for it.
	deepestDefinition = 64
	mostElements      = 20_000
)

// element is one element of a definition.
type element struct {
	name       xml.Name
	attributes map[string]string
	// strange are attributes in a namespace: libvirt takes them for those without.
	strange bool
	said    strings.Builder
	inside  []*element
	// domain is the outermost element.
	domain *element
}

// readDefinition reads a domain's XML. What libvirt's parser could read in another way is refused:
// types of its own, by which elements get attributes that are not written there, and instructions.
func readDefinition(text string) (*element, error) {
	top := &element{}
	path, elements := []*element{top}, 0
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		above := path[len(path)-1]
		switch part := token.(type) {
		case xml.Directive:
			return nil, errors.New("it declares a type of its own")
		case xml.ProcInst:
			if part.Target != "xml" {
				return nil, errors.New("it holds instructions")
			}
		case xml.StartElement:
			if len(path) > deepestDefinition {
				return nil, errors.New("it is nested too deep")
			}
			if elements++; elements > mostElements {
				return nil, fmt.Errorf("it has more than %d elements", mostElements)
			}
			begun := begin(part)
			begun.domain = begun
			if len(path) > 1 {
				begun.domain = path[1]
			}
			above.inside = append(above.inside, begun)
			path = append(path, begun)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			above.said.Write(part)
		}
	}
	if len(top.inside) != 1 || top.inside[0].name != (xml.Name{Local: "domain"}) {
		return nil, errors.New("it is not one <domain>")
	}
	return top.inside[0], nil
}

func begin(start xml.StartElement) *element {
	begun := &element{name: start.Name, attributes: map[string]string{}}
	for _, attribute := range start.Attr {
		switch attribute.Name.Space {
		case "":
			if attribute.Name.Local != "xmlns" {
				begun.attributes[attribute.Name.Local] = attribute.Value
			}
		case "xmlns":
		default:
			begun.strange = true
		}
	}
	return begun
}

// own is the element's text without the space around it.
func (e *element) own() string { return strings.TrimSpace(e.said.String()) }

// guest is the name of the definition's guest as libvirt reads it; empty where that is not plain.
func (e *element) guest() string {
	for _, child := range e.domain.inside {
		if child.name == (xml.Name{Local: "name"}) {
			if len(child.inside) > 0 {
				return ""
			}
			return child.said.String()
		}
	}
	return ""
}

// String names the element as a message does.
func (e *element) String() string { return fmt.Sprintf("<%.40s>", e.name.Local) }
