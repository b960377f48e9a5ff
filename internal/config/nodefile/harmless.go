package nodefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shape is what an element may have without a power. What is not in it is the power `other`, and so
// is a slash in a value or a text: whatever names a path of the host does so with one.
type shape struct {
	// attributes it may have; one with a slash behind it may hold a path, which judge looks at.
	attributes string
	// plain are elements of which all that is inside is harmless, as long as nothing has a slash.
	plain string
	// prose are those of which nothing inside is ever a path.
	prose string
	// inside are those with a shape of their own, of the same name or of that behind the =.
	inside string
	// text: what it says may be a path, which judge looks at.
	text bool
	// judge says what power it has for what is in it.
	judge func(e *element, found findings)
	// covered: the power that judge has found says all about what is inside.
	covered bool
}

// shapes are those of the elements of libvirt 9 that stay within the guest, and of those that judge
// can tell apart. The rest of libvirt's elements are left out on purpose.
var shapes map[string]shape

// init, since what judges a shape looks at shapes again.
func init() {
	shapes = map[string]shape{}
	maps.Copy(shapes, shapesOfMachine)
	maps.Copy(shapes, shapesOfDevices)
	maps.Copy(shapes, shapesOfDisks)
	variables := shapes["storage"]
	variables.judge = judgeVariablesAt
	shapes["nvramSource"] = variables
}

// mostFindings bounds what a message says of one power.
const mostFindings = 3

// findings are the powers of a definition, and where it has each of them.
type findings map[string]string

func (f findings) add(power, where string) {
	said := f[power]
	switch {
	case said == "":
		f[power] = where
	case strings.Contains(said, where), strings.Count(said, ",") >= mostFindings:
	case strings.Count(said, ",") == mostFindings-1:
		f[power] += ", ..."
	default:
		f[power] += ", " + where
	}
}

// look goes through an element of a known shape.
func (f findings) look(e *element, name string) {
	known := shapes[name]
	if known.judge != nil {
		known.judge(e, f)
	}
	if known.covered {
		return
	}
	f.attributes(e, strings.Fields(known.attributes))
	if !known.text && strings.Contains(e.own(), "/") {
		f.add(other, e.String())
	}
	for _, child := range e.inside {
		switch local := child.name.Local; {
		case child.name.Space == qemuNamespace:
			f.add("commandline", child.String())
		case child.name.Space != "":
			f.add(other, child.String())
		case listed(known.prose, local):
		case listed(known.plain, local):
			f.plain(child)
		default:
			f.ofOwnShape(child, known.inside)
		}
	}
}

func (f findings) ofOwnShape(e *element, inside string) {
	for _, word := range strings.Fields(inside) {
		name, like, differs := strings.Cut(word, "=")
		if !differs {
			like = name
		}
		if name == e.name.Local {
			f.look(e, like)
			return
		}
	}
	f.add(other, e.String())
}

func (f findings) attributes(e *element, allowed []string) {
	if e.strange {
		f.add(other, e.String())
	}
	for _, name := range slices.Sorted(maps.Keys(e.attributes)) {
		mayNameAPath := slices.Contains(allowed, name+"/")
		if !mayNameAPath && (!slices.Contains(allowed, name) || strings.Contains(e.attributes[name], "/")) {
			f.add(other, fmt.Sprintf("the %.40s of %v", name, e))
		}
	}
}

// plain goes through an element of which only paths could be harmful.
func (f findings) plain(e *element) {
	switch {
	case e.name.Space == qemuNamespace:
		f.add("commandline", e.String())
	case e.name.Space != "" || strings.Contains(e.own(), "/"):
		f.add(other, e.String())
	}
	f.attributes(e, slices.Collect(maps.Keys(e.attributes)))
	for _, child := range e.inside {
		f.plain(child)
	}
}

func listed(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

// has says whether an element of this name is inside, however deep, for which is says yes.
func (e *element) has(name string, is func(*element) bool) bool {
	return slices.ContainsFunc(e.inside, func(child *element) bool {
		return child.name.Local == name && is(child) || child.has(name, is)
	})
}
