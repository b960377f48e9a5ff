package rgconf

import (
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

// translation is one run.
type translation struct {
	*importing.Report
	draft       *importing.Draft
	definitions importing.Definitions
	top         *importing.Element

	nodes map[string]bool
	// unfenced are nodes without a device, dotted those with a full host name.
	unfenced, dotted []string
	// waits are the delays before a node was shot, of which the longest is the
	// favoured node's.
	waits map[string]time.Duration
	// refused are failover domains that cannot be declared: no node of the cluster
	// may run what names them.
	refused map[string]bool
	shared  map[string]*sharedResource
	// defaults are the attributes of resource-defaults by type.
	defaults map[string]*importing.Element
	// moved are services of the source that became another one of the document.
	moved map[string]string
	// fenceOnStop are services whose node is fenced when a stop fails.
	fenceOnStop map[string]bool
	// unmanaged tells of <rm disabled="1">.
	unmanaged bool
}

// Translate reads a cluster.conf. file is used in messages. The error is an
// importing.Fault: the text is no cluster.conf, and nothing was translated.
func Translate(file string, text []byte, definitions importing.Definitions) (*importing.Draft, *importing.Report,
	error) {
	top, err := importing.ReadMarkup(file, text)
	if err != nil {
		return nil, nil, err
	}
	if top.Name != "cluster" {
		return nil, nil, importing.Fault{File: file, Line: top.Line, Column: top.Column,
			Message: "is no cluster.conf: its top element is <" + top.Name + ">, not <cluster>"}
	}
	t := &translation{Report: &importing.Report{}, draft: importing.NewDraft(), definitions: definitions, top: top,
		nodes: map[string]bool{}, refused: map[string]bool{}, shared: map[string]*sharedResource{},
		defaults: map[string]*importing.Element{},
		moved:    map[string]string{}, fenceOnStop: map[string]bool{}, waits: map[string]time.Duration{}}
	t.cluster()
	t.membership()
	t.clusterNodes()
	t.twoNodes()
	t.surroundings()
	t.resourceManager()
	t.Rest(top)
	t.closing()
	return t.draft, t.Report, nil
}

// cluster translates the top element.
func (t *translation) cluster() {
	name := t.top.Get("name")
	t.draft.Cluster = importing.Name(name)
	if t.draft.Cluster == name {
		t.Say(importing.Translated, t.top, []string{"name"}, "cluster %s", name)
	} else {
		t.Say(importing.Changes, t.top, []string{"name"}, "cluster %s: a name has letters, digits and . _ -", t.draft.Cluster)
	}
	t.Tell(importing.Unneeded, t.top, []string{"config_version"}, "versions of the document are counted by the cluster")
}

// closing says what is left to a person.
func (t *translation) closing() {
	if len(t.dotted) > 0 {
		t.Advise("Nodes have full host names here, and without more clusterd takes the part before the first dot. Write "+
			"`name: %s` into /etc/clusterd/node.yaml of that node, and so on.", t.dotted[0])
	}
	if len(t.unfenced) > 0 {
		t.Advise("Give a fence device to %s.", strings.Join(t.unfenced, ", "))
	}
	if t.draft.Devices.Len() > 0 {
		t.Advise("Prove each fence device: clusterd fence test NODE. A device that does not tell the machine's UUID " +
			"counts only after that.")
	}
	t.Advise("Stop rgmanager and cman on every node, and switch off their start at boot, before clusterd manages " +
		"anything: two managers would start the same services twice.")
	t.Advise("Look at the document, then: clusterd config check FILE; clusterd config apply FILE.")
}

// known is what is said of one attribute, or of several that mean one thing.
type known struct {
	names   []string
	kind    importing.Kind
	message string
}

// tell says what is known of those attributes that are there.
func (t *translation) tell(e *importing.Element, table []known) {
	for _, k := range table {
		t.Tell(k.kind, e, k.names, "%s", k.message)
	}
}
