package cib

import (
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

const (
	unneeded   = importing.Unneeded
	changes    = importing.Changes
	cannot     = importing.Cannot
	translated = importing.Translated
)

// translation is one run.
type translation struct {
	*importing.Report
	draft       *importing.Draft
	definitions importing.Definitions
	top         *importing.Element
	// byID finds what an id-ref or a reference names.
	byID map[string]*importing.Element

	nodes []*node
	// properties are the cluster's own settings, defaults those of resources.
	properties, defaults *pairs
	// items are the resources by id.
	items map[string]*item
	// services are those of the document by the id of what they were made of, in
	// the order in which they start.
	services map[string][]string
	// order lists the services as they were made.
	order     []string
	locations map[string]*location
	stickies  map[string]int
	// tags are the names for several resources, templates among them; tagged are those
	// that a constraint names.
	tags   map[string][]string
	tagged map[string]bool
	// needs are the dependencies made so far, together the companions.
	needs    map[string][]string
	devices  map[string]*fenceDevice
	unfenced []string
	// conditional are the sets of values that hold by rule; it was said that they
	// are left out.
	conditional map[*importing.Element]bool
	frozen      []string
	// fenced are the ids of fence devices, and of groups and clones of them.
	fenced map[string]bool
	// opDefaults count for each operation that says nothing itself; opUses are what
	// they became, by name.
	opDefaults *pairs
	opUses     map[string][]string
	// now is when the dates of rules are judged; zero leaves them open.
	now time.Time
}

// Translate reads a CIB. file is used in messages. The error is an
// importing.Fault: the text is no CIB, and nothing was translated.
func Translate(file string, text []byte, definitions importing.Definitions) (*importing.Draft, *importing.Report,
	error) {
	top, err := importing.ReadMarkup(file, text)
	if err != nil {
		return nil, nil, err
	}
	configuration := top
	if top.Name == "cib" {
		configuration = top.Child("configuration")
	}
	if configuration == nil || configuration.Name != "configuration" {
		return nil, nil, importing.Fault{File: file, Line: top.Line, Column: top.Column,
			Message: "is no CIB: its top element is <" + top.Name + ">, and there is no <configuration>"}
	}
	t := &translation{Report: &importing.Report{}, draft: importing.NewDraft(), definitions: definitions, top: top,
		byID: map[string]*importing.Element{}, items: map[string]*item{}, services: map[string][]string{},
		locations: map[string]*location{},
		stickies:  map[string]int{}, tags: map[string][]string{}, tagged: map[string]bool{},
		needs:       map[string][]string{},
		devices:     map[string]*fenceDevice{},
		conditional: map[*importing.Element]bool{}, fenced: map[string]bool{}, opUses: map[string][]string{}}
	t.now = definitions.Now
	t.index(configuration)
	t.configuration(configuration)
	t.Rest(top)
	t.closing()
	return t.draft, t.Report, nil
}

// index finds everything of the configuration by its id. Ids are names only,
// except where something refers to them. The <status> has ids of its own, many of
// them the same: it tells what ran, and nothing refers to it.
func (t *translation) index(e *importing.Element) {
	if id := e.Get("id"); id != "" {
		// The id of a reference is that of what it refers to, and is spoken of.
		if !strings.HasSuffix(e.Name, "_ref") {
			t.byID[id] = e
			t.Quiet(e, "id")
		}
	}
	for _, child := range e.Children {
		t.index(child)
	}
}

func (t *translation) configuration(c *importing.Element) {
	t.header()
	t.Container(c)
	t.properties = t.section(c, "crm_config", "cluster_property_set")
	t.defaults = t.section(c, "rsc_defaults", "meta_attributes")
	t.opDefaults = t.section(c, "op_defaults", "meta_attributes")
	t.readTags(c)
	t.readNodes(c)
	t.clusterName()
	t.resources(c)
	t.constraints(c)
	t.tellTags(c)
	t.domains()
	t.fencing(c)
	t.property()
	t.beside(c)
}

// section reads the pairs of a section that holds nothing else.
func (t *translation) section(c *importing.Element, name, set string) *pairs {
	all := &pairs{t: t}
	for _, e := range c.All(name) {
		t.Container(e)
		all.add(t.pairs(e, set))
	}
	return all
}

// header speaks of what Pacemaker writes about the CIB itself.
func (t *translation) header() {
	if t.top.Name == "cib" {
		t.SayAll(unneeded, t.top, "versions and times of the CIB itself; the document has its own")
	}
	if status := t.top.Child("status"); status != nil {
		t.SayAbove(unneeded, status, "what ran where is not configuration: nodes tell what they run")
	}
}

func (t *translation) clusterName() {
	given := t.properties.get("cluster-name")
	t.draft.Cluster = importing.Name(given)
	if given == "" {
		t.draft.Cluster = "imported"
		t.Advise("The CIB names no cluster; write its name in place of `cluster: imported`.")
		return
	}
	t.properties.tell(translated, "cluster "+t.draft.Cluster, "cluster-name")
}

// beside speaks of the rest of the configuration.
func (t *translation) beside(c *importing.Element) {
	t.tellOpDefaults()
	for _, e := range c.All("alerts") {
		t.Container(e)
		for _, alert := range e.All("alert") {
			t.SayWhole(cannot, alert, "alert agents of Pacemaker read other words than those that clusterd tells; write "+
				"the program under `alerts` once it reads ours")
		}
	}
	for _, e := range c.All("acls") {
		t.SayWhole(changes, e, "there are two roles, admin and viewer, by client certificate: clusterd client USER "+
			"--role viewer")
	}
}

func (t *translation) closing() {
	if len(t.unfenced) > 0 {
		t.Advise("Give a fence device to %s.", strings.Join(t.unfenced, ", "))
	}
	if t.draft.Devices.Len() > 0 {
		t.Advise("Prove each fence device: clusterd fence test NODE. A device that does not tell the machine's UUID " +
			"counts only after that.")
	}
	if len(t.draft.Missing) > 0 {
		t.Advise("Put the missing definitions in place, or import again with --definitions FOLDER.")
	}
	if len(t.frozen) > 0 {
		slices.Sort(t.frozen)
		t.Advise("What was unmanaged is declared with autostart: false: where it runs it is taken in and runs on, and where "+
			"it is down it stays down until clusvcadm -e. Freeze it right after the document is applied, so that nothing "+
			"moves or restarts it: clusvcadm -Z %s.", strings.Join(t.frozen, ", clusvcadm -Z "))
	}
	t.Advise("Set Pacemaker's maintenance-mode, stop it on every node, and switch off its start at boot, before " +
		"clusterd manages anything: two managers would start the same services twice.")
	t.Advise("Look at the document, then: clusterd config check FILE; clusterd config apply FILE.")
}
