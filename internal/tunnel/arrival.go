package tunnel

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What bounds the calls that prepare and finish an arrival, which are held back until all of them
// is here: libvirt's own bounds for parameters and their names, and deepestXML is far below what a
// definition has.
const (
	heldLimit      = 4 << 20
	mostParameters = 64
	longestField   = 80
	deepestXML     = 64
)

// The parameters that say of which guest a call is, and where its memory comes in.
const (
	parameterXML  = "destination_xml"
	parameterName = "destination_name"
	parameterURI  = "migrate_uri"
)

// parameters are those that a move of ours has at its target. Others copy disks, listen elsewhere,
// or make the guest persistent by a definition of their own.
var parameters = map[string]bool{
	parameterXML: true, parameterName: true, parameterURI: true, "bandwidth": true, "bandwidth.postcopy": true,
	"compression": true, "compression.mt.level": true, "compression.mt.threads": true, "compression.mt.dthreads": true,
	"compression.xbzrle.cache": true, "auto_converge.initial": true, "auto_converge.increment": true,
}

// moveFlags are virDomainMigrateFlags of our moves: live, peer to peer, paused, protected against
// change, unsafe, compressed, ended by an error, slowed down, by post-copy, taken up again.
const moveFlags = 1 | 1<<1 | 1<<5 | 1<<8 | 1<<9 | 1<<11 | 1<<12 | 1<<13 | 1<<15 | 1<<19

// readArrival reads the texts among what the calls carry that prepare and finish an arrival: typed
// parameters, a cookie, flags, and on finishing whether it was given up.
func readArrival(arguments []byte, finish bool) (texts map[string]string, err error) {
	from := reader{rest: arguments}
	count := from.word()
	if count > mostParameters {
		return nil, fmt.Errorf("%d parameters are more than a move has", count)
	}
	seen := map[string]bool{}
	texts = map[string]string{}
	for range count {
		field := from.text(longestField)
		text, isText := from.value()
		switch {
		case from.broken:
			return nil, errors.New("the parameters are not written as libvirt writes them")
		case !parameters[field]:
			return nil, fmt.Errorf("no migration has the parameter %q", field)
		case seen[field]:
			return nil, fmt.Errorf("the parameter %s is there twice", field)
		case strings.ContainsRune(text, 0): // libvirt would read no further
			return nil, fmt.Errorf("the parameter %s is no text", field)
		}
		seen[field] = true
		if isText {
			texts[field] = text
		}
	}
	from.text(heldLimit) // the cookie: what it says of a definition is used with other flags alone
	flags := from.word()
	if finish {
		from.word()
	}
	switch {
	case from.broken || len(from.rest) > 0:
		return nil, errors.New("it is not written as libvirt writes it")
	case flags&^moveFlags != 0:
		return nil, fmt.Errorf("no migration has the flags %#x", flags&^moveFlags)
	}
	return texts, nil
}

// value is the value of a typed parameter (virTypedParameterType), and whether it is a text.
func (r *reader) value() (text string, isText bool) {
	switch r.word() {
	case 1, 2, 6: // int, unsigned int, boolean
		r.take(4)
	case 3, 4, 5: // long long, unsigned long long, double
		r.take(8)
	case 7:
		return r.text(heldLimit), true
	default:
		r.rest, r.broken = nil, true
	}
	return "", false
}

// arrivalOf reads which guest is to be prepared, by its definition, and its name there.
func arrivalOf(arguments []byte, guest, data string) (name string, err error) {
	texts, err := readArrival(arguments, false)
	if err != nil {
		return "", err
	}
	uuid, name, err := namesOf(texts[parameterXML])
	if err != nil {
		return "", fmt.Errorf("the definition cannot be read: %w", err)
	}
	as, renamed := texts[parameterName]
	at, placed := texts[parameterURI]
	switch {
	case guest == "" || !strings.EqualFold(strings.TrimSpace(uuid), guest):
		return "", fmt.Errorf("the definition is of guest %.40q, and %q is the one that moves", uuid, guest)
	case name == "":
		return "", errors.New("the definition has no name")
	case renamed && as != name:
		return "", fmt.Errorf("it is to be called %.80q, and its definition calls it %.80q", as, name)
	case placed && data != "" && at != "unix://"+data:
		return "", fmt.Errorf("its memory is to come in at %.160q, and not at %s", at, data)
	}
	return name, nil
}

// namesOf reads the UUID and the name of a definition as libvirt does, and is no more forgiving:
// each has to be there once, directly below <domain> and in no namespace. What two parsers could
// read in two ways, such as entities of its own, is refused.
func namesOf(text string) (uuid, name string, err error) {
	found := map[string]*strings.Builder{}
	var path []xml.Name
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", err
		}
		switch part := token.(type) {
		case xml.Directive:
			return "", "", errors.New("it declares a type of its own")
		case xml.ProcInst:
			if part.Target != "xml" {
				return "", "", errors.New("it holds instructions")
			}
		case xml.StartElement:
			if err := mayBegin(part.Name, path, found); err != nil {
				return "", "", err
			}
			path = append(path, part.Name)
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if into := found[nameAt(path)]; into != nil {
				into.Write(part)
			}
		}
	}
	if found["uuid"] == nil || found["name"] == nil {
		return "", "", errors.New("it has no <uuid> or no <name>")
	}
	return found["uuid"].String(), found["name"].String(), nil
}

// nameAt is which element of interest a path leads to; empty for all others.
func nameAt(path []xml.Name) string {
	if len(path) == 2 && path[1].Space == "" && (path[1].Local == "uuid" || path[1].Local == "name") {
		return path[1].Local
	}
	return ""
}

// mayBegin says why an element must not begin there, and makes room for the texts that are read.
func mayBegin(name xml.Name, path []xml.Name, found map[string]*strings.Builder) error {
	if len(path) == 0 {
		if name != (xml.Name{Local: "domain"}) || len(found) > 0 {
			return errors.New("it is not one <domain>")
		}
		return nil
	}
	if inside := nameAt(path); inside != "" || len(path) > deepestXML {
		return fmt.Errorf("<%.40s> is nested where it does not belong", name.Local)
	}
	if of := nameAt(append(path[:len(path):len(path)], name)); of != "" {
		if found[of] != nil {
			return fmt.Errorf("it has a second <%s>", of)
		}
		found[of] = &strings.Builder{}
	}
	return nil
}
