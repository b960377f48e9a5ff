package nodefile

import (
	"cmp"
	"slices"
)

// cephFolder is where the settings of Ceph are, which only root of the host writes.
const cephFolder = "/etc/ceph/"

// shapesOfDisks are those of disks and of what is below them. A layer below a disk has the powers
// that a disk of its type has.
var shapesOfDisks = map[string]shape{
	"disk": {
		attributes: "type device model snapshot",
		plain: "driver target iotune throttlefilters serial wwn vendor product boot alias address geometry blockio " +
			"shareable transient readonly encryption acpi auth",
		inside: "source=storage backingStore=layer mirror=layer",
		judge:  judgeDisk,
	},
	"layer": {
		attributes: "type index job ready format file/",
		plain:      "format readonly encryption",
		inside:     "source=storage backingStore=layer",
		judge:      judgeLayer,
	},
	"storage": {
		attributes: "file/ dev/ dir/ protocol name/ pool volume mode startupPolicy index tls tlsHostname query/",
		plain:      "address snapshot ssl readahead reconnect timeout slices initiator auth encryption",
		prose:      "cookies",
		inside: "host=storageHost identity=storageUser config=cephSettings reservations seclabel=fileLabel " +
			"dataStore=layer",
		judge: judgeStorage,
	},
	"storageHost":  {attributes: "name port transport"},
	"storageUser":  {attributes: "user group username"},
	"reservations": {attributes: "managed enabled migration"},
	"cephSettings": {attributes: "file/", judge: func(e *element, found findings) {
		if !below(cephFolder, e.attributes["file"]) {
			found.add(other, "the file of "+e.String())
		}
	}},
	"fileLabel":   {attributes: "model relabel labelskip", inside: "label=chosenLabel", judge: judgeConfinement},
	"chosenLabel": {judge: always("unconfined")},
}

// judgeDisk: a drive with nothing in it opens nothing.
func judgeDisk(e *element, found findings) {
	if !isEmptyDrive(e) {
		judgeType(e, e.attributes["type"], found)
	}
}

// isEmptyDrive: only drives may be without a source, and libvirt writes what type of source they
// had last.
func isEmptyDrive(e *element) bool {
	switch e.attributes["device"] {
	case "cdrom", "floppy":
	default:
		return false
	}
	holds := func(child *element) bool {
		return child.name.Space != "" || listed("source backingStore mirror", child.name.Local)
	}
	return listed("file block", cmp.Or(e.attributes["type"], "file")) && e.attributes["file"] == "" &&
		!slices.ContainsFunc(e.inside, holds)
}

// judgeLayer: the last layer of a chain is an empty element.
func judgeLayer(e *element, found findings) {
	if len(e.attributes) > 0 || len(e.inside) > 0 {
		judgeType(e, e.attributes["type"], found)
	}
}

// judgeType: libvirt takes a disk without a type for a file.
func judgeType(e *element, kind string, found findings) {
	switch kind {
	case "network", "volume":
	case "", "file", "dir":
		found.add("file-disk", e.String())
	case "block":
		found.add("block-disk", e.String())
	default:
		found.add(other, "the type of "+e.String())
	}
	if e.attributes["file"] != "" {
		found.add("file-disk", e.String())
	}
}

// judgeStorage does not rely on it that libvirt looks at those attributes alone which belong to the
// type.
func judgeStorage(e *element, found findings) {
	if e.attributes["file"] != "" || e.attributes["dir"] != "" {
		found.add("file-disk", e.String())
	}
	if e.attributes["dev"] != "" {
		found.add("block-disk", e.String())
	}
}
